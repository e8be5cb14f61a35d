package inbound

import (
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

const (
	// plainStatus is the size of a status that every client takes.
	plainStatus = 2 << 10
	// ownTrailers is left for the trailers of the handler and of the pass.
	ownTrailers = 1 << 10
)

// fitStatus cuts a status to what its client takes. gRPC would reset the stream, and the client
// would get nothing of it. What was cut is said in its message. REST has the status in a body.
func fitStatus(c *call, out outcome) outcome {
	if out.err == nil || c.http != nil {
		return out
	}
	st := status.Convert(out.err)
	if rpcstatus.Size(st) <= plainStatus {
		return out
	}
	limit := headerListLimit(c)
	if limit == 0 {
		return out
	}
	return outcome{out.code, rpcstatus.Fit(st, max(limit-ownTrailers, plainStatus)).Err()}
}

// headerListLimit returns the size of headers that the client takes, 0 if it takes any or the
// connection does not say.
func headerListLimit(c *call) int {
	p, ok := peer.FromContext(c.parent)
	if !ok {
		return 0
	}
	client, ok := p.AuthInfo.(interface{ HeaderListLimit() int })
	if !ok {
		return 0
	}
	return client.HeaderListLimit()
}
