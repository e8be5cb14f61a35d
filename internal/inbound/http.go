package inbound

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/ratelimit"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/traceid"
)

// TraceHeader is the header of an HTTP answer that carries the call's trace id, 32 hexadecimal digits.
const TraceHeader = "Trace-Id"

// HTTP is the chain's pass around plain HTTP: span, metrics, panic recovery, limits, and an access-log line for a
// request that made no call. One that did has its line from the call. The identity of the caller is the gRPC peer in
// the request's context, which the server sets per connection and nobody else.
func (s *Server) HTTP(next http.Handler, limits HTTPLimits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &httpCall{server: s, writer: w, start: time.Now(), parent: r.Context()}
		h.trace.beginHTTP(h, r)
		w.Header().Set(TraceHeader, h.trace.context().TraceID().String())
		if s.leaving.Load() && r.ProtoMajor == 1 { // HTTP/2 would make a GOAWAY of it, which has its own time
			w.Header().Set("Connection", "close")
		}
		r = r.WithContext(h)
		h.request = r
		s.requests.begin(h)
		defer func() {
			s.requests.end(h)
			var panicked any
			if !h.returned {
				panicked = recover()
			}
			h.end(r, panicked)
		}()
		if h.proved() {
			h.limit(r, limits)
			next.ServeHTTP(h.responseWriter(), r)
		}
		h.returned = true
	})
}

// httpCall is one HTTP request: the context and the response writer of its handler, and what the pass remembers.
type httpCall struct {
	server  *Server
	parent  context.Context
	request *http.Request
	start   time.Time
	trace   callTrace
	body    limitedBody
	writes  stallLimit
	waits   time.Duration // the caller, from start on; zero if it did not say, negative for not at all
	caller  Caller        // of a route
	former  string        // whom the certificate of the connection names, where it is not accepted any more
	reason  Reason        // why a route has refused it
	explain string        // the same for operators
	ahead   decision      // about the call that it is about to make
	refusal error         // what decideAhead has come to; nothing is read any more

	answer  proto.Message // the newest of a call
	encoded []byte        // the same as its caller gets it

	route    string // the gateway's; else that of the ServeMux
	rpc      bool   // a call was made, and leaves the line
	returned bool
	over     bool                  // guarded by mu: the deadline has answered; what the handler writes is lost
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
	calls   atomic.Int32  // that it is in

	life  sync.Mutex // held to end what the request waits for, which mu may be held for
	ended bool       // the handler has returned, and streams have or need not

	mu       sync.Mutex // held to answer, because a deadline may answer instead of the handler
	writer   http.ResponseWriter
	status   int                 // zero before the answer has begun
	kept     int                 // bytes written that net/http has not sent yet
	turn     int                 // which of its calls may be answered for, when the time of that is over
	shared   bool                // a handler has the header, and may write to it
	aborted  bool                // the answer has begun and will not be complete
	hijacked net.Conn            // the handler's own connection from then on, nil if it has none
	quota    *ratelimit.Decision // of the caller's rate limit; nil if it has none
}

// SetRoute names the pattern that the request of ctx matched, for the http_route label and for [Server.InFlight]. It
// must come from a bounded set. Without a request it does nothing.
func SetRoute(ctx context.Context, route string) {
	if h := httpCallFrom(ctx); h != nil {
		h.route = route
		h.countAs(h.server.routes.of(routeKey{catalog.HTTPMethod(h.request.Method), route}))
	}
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

// Value answers from the request's own fields what the pass knows.
func (h *httpCall) Value(key any) any {
	switch key {
	case h.server.obs.keys.span:
		return h.trace.span()
	case httpCallKey{}:
		return h
	}
	return h.parent.Value(key)
}

// String names the context where it is printed: fmt would print the request, with its credentials.
func (h *httpCall) String() string { return "HTTP request" }

// GoString is String.
func (h *httpCall) GoString() string { return h.String() }

func (h *httpCall) problem(status int, code, detail string) {
	problem.New(status, code, detail, h.trace.context()).Write(h)
}

func (t *callTrace) beginHTTP(h *httpCall, r *http.Request) {
	obs := h.server.obs
	conn := h.parent
	if members := list(r.Header["Baggage"]); members != "" && !obs.cfg.IgnoreBaggage && h.server.believes(conn) {
		h.parent = withBaggage(conn, members)
	}
	var parent, link trace.SpanContext
	if traceparent := r.Header.Get("Traceparent"); traceparent != "" && !obs.cfg.IgnoreTraceContext {
		parent, link = parentOrLink(h.server.believes(conn), traceid.Parse(traceparent, list(r.Header["Tracestate"])))
	}
	t.start(h.parent, obs, parent, link, "HTTP")
}

// end is the pass after the handler.
func (h *httpCall) end(r *http.Request, panicked any) {
	h.gone = h.parent.Err() != nil
	aborts := !h.returned && h.failed(r, panicked)
	h.streams.Wait()
	h.uncount()
	h.life.Lock()
	h.ended = true
	h.life.Unlock()
	h.endLimits(aborts)
	h.leaveStream()
	elapsed := time.Since(h.start)
	method, route, status := catalog.HTTPMethod(r.Method), h.matched(r), h.sent()
	h.trace.observe(h.server.obs.http.of(method, route, status), elapsed)
	h.endSpan(method, route, status)
	if !h.rpc {
		h.log(r, method, route, status, elapsed)
		if h.server.cfg.Audit != nil {
			h.auditEnd(r, route, status, elapsed)
		}
	}
	if aborts && panicked != nil {
		panic(http.ErrAbortHandler) // net/http's way to cut the connection, which a handler may use itself
	}
}

// failed ends a request whose handler did not return. It reports whether the caller gets no whole answer.
func (h *httpCall) failed(r *http.Request, panicked any) (aborts bool) {
	var id string
	switch {
	case panicked == http.ErrAbortHandler: //nolint:errorlint // net/http compares the value itself
		h.mu.Lock()
		defer h.mu.Unlock()
		h.aborted = h.status == 0 // nobody gets it; it is what the request counts as
		return true
	case panicked != nil:
		h.server.obs.panics.WithLabelValues("http").Inc()
		id = h.logFailure(r, "handler panicked", slog.Any("error", panicked), slog.String("stack", string(debug.Stack())))
	default:
		id = h.logFailure(r, "handler ended its goroutine", slog.String("error", "runtime.Goexit instead of a return"))
	}
	if h.abort() {
		return true
	}
	h.problem(http.StatusInternalServerError, rpcstatus.Name(codes.Internal), "internal error, id "+id)
	if panicked == nil {
		h.Flush() // net/http, which runs in that goroutine, will not
	}
	return false
}

// logFailure logs what went wrong under a new id, which is all that the caller is told.
func (h *httpCall) logFailure(r *http.Request, what string, attrs ...slog.Attr) (id string) {
	id = errorID()
	attrs = append([]slog.Attr{slog.String("route", h.matched(r)), slog.String("error_id", id)}, attrs...)
	logger(h.server.cfg.Logger).LogAttrs(h, slog.LevelError, what, attrs...)
	return id
}

// abort ends an answer that has begun, so that the caller does not take it for a whole one. It reports whether it had.
func (h *httpCall) abort() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status == 0 {
		return false
	}
	if h.hijacked != nil {
		_ = h.hijacked.Close() // the handler may have done so
	}
	h.aborted = !h.over // else the deadline's answer is whole
	return true
}

// endLimits leaves the write timeout for what net/http still has to write, and nothing for an answer that is cut.
func (h *httpCall) endLimits(aborts bool) {
	if aborts && h.aborted {
		_ = h.writes.replace(longAgo) // net/http sends what it has buffered, which may be all that was announced
	} else {
		h.writes.lend()
		h.writes.stop()
	}
	h.body.end()
}

// matched returns the route of the request, empty if it matched none.
func (h *httpCall) matched(r *http.Request) string {
	if h.route != "" {
		return h.route
	}
	_, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		path = r.Pattern
	}
	if path == "/" { // the gateway's catch-all: no route of it matched
		return ""
	}
	return path
}

func (h *httpCall) endSpan(method, route string, status int) {
	if h.trace.recorded == nil {
		return
	}
	span := h.trace.recorded
	name := method
	if route != "" {
		name += " " + route
		span.SetAttributes(attribute.String("http.route", route))
	}
	span.SetName(name)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.Int("http.response.status_code", status))
	if status >= 500 {
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
		span.SetStatus(otelcodes.Error, "")
	}
	span.End()
}

func (h *httpCall) log(r *http.Request, method, route string, status int, elapsed time.Duration) {
	cfg := &h.server.cfg
	if cfg.Requests == LogNone || cfg.Requests == LogFailed && status < 400 || cfg.Logger == nil {
		return
	}
	if h.reason == ReasonUnaudited {
		more, ok := h.server.unaudited.Allow("", time.Now())
		if !ok {
			return
		}
		h.explain += leftOut(more)
	}
	level := slog.LevelInfo
	switch {
	case h.wasCut.Load():
		level, h.reason = slog.LevelWarn, ReasonShutdown
	case h.reason == ReasonUnaudited:
		level = slog.LevelWarn
	case status >= 500 && !h.gone: // any caller may go
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("http_method", method), slog.String("route", route), slog.Int("status", status),
		slog.Float64("duration_seconds", elapsed.Seconds()), slog.String("protocol", "http"),
	}
	attrs = append(attrs, h.who()...)
	if route == "" {
		attrs = append(attrs, slog.String("path", logline.Truncate(r.URL.Path))) // never the query: it may hold secrets
	}
	if turnsAway(h.reason) || cfg.Logger.Enabled(h, level) {
		logAnyway(h, cfg.Logger, h.start.Add(elapsed), level, "request", attrs)
	}
}
