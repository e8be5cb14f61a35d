package inbound

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/timeouts"
)

// takeTimeout reads from a REST request for how long its caller waits, as `Request-Timeout` (seconds, with a fraction if need
// be) and `Grpc-Timeout` (as gRPC has it) say: the shorter of them. The call of the request then has no later deadline
// than that, counted from when the request arrived; the server's own limits stay. It takes Grpc-Timeout away, which the
// gateway would understand in its own way. Where a header is malformed it answers with 400 and returns false.
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
