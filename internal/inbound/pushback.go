package inbound

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// pushBack repeats a status's google.rpc.RetryInfo in the trailer, so that retries wait: gRPC
// reads the trailer, programs read the detail. A handler that sets the trailer itself must leave
// the detail out, because a client that gets two values does not retry. REST callers get
// Retry-After.
func pushBack(c *call, out outcome) {
	if out.err == nil || c.http != nil {
		return
	}
	retry := rpcstatus.Split(status.Convert(out.err)).Retry
	if retry == nil {
		return
	}
	wait := max(retry.GetRetryDelay().AsDuration(), 0)
	milliseconds := int64(math.Ceil(float64(wait) / float64(time.Millisecond)))
	c.stream.SetTrailer(metadata.Pairs(rpcstatus.PushBack, strconv.FormatInt(milliseconds, 10)))
}
