package inbound

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/timeouts"
)

// takeTimeout reads the caller's timeout from a REST request: the shorter of `Request-Timeout`
// (seconds, possibly with a fraction) and `Grpc-Timeout` (in gRPC's format). It bounds the
// deadline of the request's call, counted from the arrival of the request. The server's own
// limits stay. It removes Grpc-Timeout, which the gateway would interpret differently. For a
// malformed header it answers with 400 and returns false.
func takeTimeout(w http.ResponseWriter, r *http.Request) bool {
	seconds, units := r.Header[timeouts.Header], r.Header["Grpc-Timeout"]
	if seconds == nil && units == nil {
		return true
	}
	delete(r.Header, "Grpc-Timeout")
	h := httpCallFrom(r.Context())
	if h == nil {
		return true
	}
	waits, err := timeouts.Shortest(seconds, units)
	if err != nil {
		answerUnread(h)
		problem.New(http.StatusBadRequest, rpcstatus.Name(codes.InvalidArgument), err.Error(), h.trace.context()).Write(w)
		return false
	}
	if h.waits = waits; waits == 0 {
		h.waits = -1
	}
	return true
}
