package rpcstatus

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// PushBack is the trailer by which a server tells clients of gRPC when to retry, in milliseconds
// (gRFC A6). They obey it without reading details.
const PushBack = "grpc-retry-pushback-ms"

// WithRetry returns st with a google.rpc.RetryInfo of that delay. St must not be OK: that one comes
// back as it is.
func WithRetry(st *status.Status, delay time.Duration) *status.Status {
	detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		return st
	}
	return detailed
}
