package inbound

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// httpCall is one HTTP request: its handler's context and response writer, and the state of the
// pass.
type httpCall struct {
	server  *Server
	parent  context.Context
	request *http.Request
	start   time.Time
	trace   callTrace
	body    limitedBody
	writes  stallLimit
	waits   time.Duration // the caller's timeout, from start on; zero if not set, negative if it does not wait
	caller  Caller        // of a route
	former  string        // the identity of the connection's certificate, if it is not valid any more
	reason  Reason        // why a route has refused it
	explain string        // the same for operators
	ahead   decision      // about the call that it is about to make
	asked   *Method       // the same call's, which stays when the call takes ahead
	refusal error         // what decideAhead has come to; nothing is read any more

	made    *restStream   // the call
	answer  proto.Message // the newest of a call
	encoded []byte        // the same as its caller gets it
	events  *events       // a stream that is sent as server-sent events; else nil
	raw     *byte         // of a stream of raw bytes: the gateway's delimiter, which is not written
	foreign bool          // the answer is not written by the chassis's own marshaler

	outer    http.ResponseWriter // what restWriter writes to
	reply    *reply              // what the handler of a call has set; nil for nothing
	headed   bool                // restWriter has completed the header
	bodyless bool                // the status has no body
	mayRead  bool                // a page of another site makes the request, and may read the answer

	route    string // the gateway's; else that of the ServeMux
	rpc      bool   // a call was made, and leaves the line
	returned bool
	over     bool                  // guarded by mu: the deadline has answered; writes of the handler are dropped
	broken   bool                  // the call was reset by an injected fault; to be read when it has ended
	streams  sync.WaitGroup        // handlers of streams that run beside the request's goroutine
	hungUp   atomic.Pointer[error] // why the stream that it made was ended from outside
	wasCut   atomic.Bool           // a stop has ended it
	gone     bool                  // the caller went before the handler came back

	next, previous *httpCall // of those that run

	standing standing                // of a route's caller
	bound    *Method                 // the route, where that may end; else nil
	cancel   context.CancelCauseFunc // of its handler; nil with bound
	flowing  bool                    // its answer is sent as it comes; guarded by mu
	recorded bool                    // the audit log has its beginning; guarded by mu

	counted *atomic.Int64 // of its route; nil before that is known
	byClass *byClass      // of its route; nil for calls and before that is known
	calls   atomic.Int32  // that it is in

	life  sync.Mutex // held to end what the request waits for, which mu may be held for
	ended bool       // the handler has returned, and streams have or need not

	mu       sync.Mutex // held to answer, because a deadline may answer instead of the handler
	writer   http.ResponseWriter
	status   int                 // zero before the answer has begun
	kept     int                 // bytes written that net/http has not sent yet
	turn     int                 // which of its calls may be answered for after its deadline
	shared   bool                // a handler has the header, and may write to it
	aborted  bool                // the answer has begun and will not be complete
	hijacked net.Conn            // the handler's own connection from then on, nil if it has none
	quota    *ratelimit.Decision // of the caller's rate limit; nil if it has none
}

type httpCallKey struct{}

func httpCallFrom(ctx context.Context) *httpCall {
	h, _ := ctx.Value(httpCallKey{}).(*httpCall)
	return h
}

// Deadline is the request's.
func (h *httpCall) Deadline() (time.Time, bool) { return h.parent.Deadline() }

// Done is closed when the request ends.
func (h *httpCall) Done() <-chan struct{} { return h.parent.Done() }

// Err says why the request ended, nil while it has not.
func (h *httpCall) Err() error { return h.parent.Err() }

// Value returns the values of the pass from the request's own fields.
func (h *httpCall) Value(key any) any {
	switch key {
	case h.server.obs.keys.span:
		return h.trace.span()
	case httpCallKey{}:
		return h
	}
	return h.parent.Value(key)
}

// String is the text of the context. fmt would print the request with its credentials.
func (h *httpCall) String() string { return "HTTP request" }

// GoString is String.
func (h *httpCall) GoString() string { return h.String() }

func (h *httpCall) problem(status int, code, detail string) {
	problem.New(status, code, detail, h.trace.context()).Write(h)
}

// matched returns the route of the request, empty if it matched none.
func (h *httpCall) matched(r *http.Request) string {
	if h.route != "" {
		return h.route
	}
	path := pathOf(r.Pattern)
	if path == "/" { // the gateway's catch-all: no route of it matched
		return ""
	}
	return path
}

// pathOf returns the pattern of a ServeMux without its method.
func pathOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return strings.TrimLeft(path, " \t")
	}
	return pattern
}

// left returns how long the caller still waits: zero if that is not known, negative if it has
// stopped waiting.
func (h *httpCall) left() time.Duration {
	if h.waits == 0 {
		return 0
	}
	if left := h.waits - time.Since(h.start); left > 0 {
		return left
	}
	return -1
}

// refused returns the error of decideAhead, nil if the request may go on.
func (h *httpCall) refused() error {
	if h == nil {
		return nil
	}
	return h.refusal
}

// takeAhead returns decideAhead's decision about the call of m, once: a second call needs its own
// decision.
func (h *httpCall) takeAhead(m *Method) (decision, bool) {
	if h == nil || h.ahead.method != m {
		return decision{}, false
	}
	d := h.ahead
	h.ahead.method = nil
	return d, true
}
