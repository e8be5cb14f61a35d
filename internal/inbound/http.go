package inbound

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// TraceHeader is the header of an HTTP answer that carries the call's trace id, 32 hexadecimal
// digits.
const TraceHeader = "Trace-Id"

// SetRoute names the pattern that the request of ctx matched, for the http_route label and for
// [Server.InFlight]. It must come from a bounded set. Without a request it does nothing.
func SetRoute(ctx context.Context, route string) {
	if h := httpCallFrom(ctx); h != nil {
		h.route = route
		countAs(h, h.server.routes.of(routeKey{catalog.HTTPMethod(h.request.Method), route}))
	}
}

// end is the part of the pass after the handler.
func (h *httpCall) end(r *http.Request, panicked any) {
	h.gone = h.parent.Err() != nil
	aborts := !h.returned && h.failed(r, panicked)
	h.streams.Wait()
	uncount(h)
	h.life.Lock()
	h.ended = true
	h.life.Unlock()
	h.endLimits(aborts)
	leaveStream(h)
	elapsed := time.Since(h.start)
	method, route, status := catalog.HTTPMethod(r.Method), h.matched(r), h.sent()
	h.trace.observe(h.server.obs.http.of(method, route, scheme(r), status), elapsed)
	if h.byClass != nil {
		h.byClass.count(status)
	}
	h.endSpan(method, route, scheme(r), status)
	if !h.rpc {
		h.log(r, method, route, status, elapsed)
		if h.server.cfg.Audit != nil {
			auditRequest(h, r, route, status, elapsed)
		}
	}
	if aborts && panicked != nil {
		panic(http.ErrAbortHandler) // net/http's way to cut the connection, which a handler may use itself
	}
}

// failed ends a request whose handler did not return. It reports whether the caller gets an
// incomplete answer.
func (h *httpCall) failed(r *http.Request, panicked any) (aborts bool) {
	var id string
	switch {
	case panicked == http.ErrAbortHandler: //nolint:errorlint // net/http compares the value itself
		h.mu.Lock()
		defer h.mu.Unlock()
		h.aborted = h.status == 0 // the status is for log and metrics; it is never sent
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

// logFailure logs a failure under a new id. The caller gets only the id.
func (h *httpCall) logFailure(r *http.Request, what string, attrs ...slog.Attr) (id string) {
	id = errorID()
	attrs = append([]slog.Attr{slog.String("route", h.matched(r)), slog.String("error_id", id)}, attrs...)
	logger(h.server.cfg.Logger).LogAttrs(h, slog.LevelError, what, attrs...)
	return id
}

// abort cuts an answer that has begun, so that the caller does not accept it as complete. It
// reports whether the answer had begun.
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

// endLimits leaves the write timeout for data that net/http still has to write, and no time for
// an answer that is cut.
func (h *httpCall) endLimits(aborts bool) {
	if aborts && h.aborted {
		_ = h.writes.replace(longAgo) // net/http sends what it has buffered, which may be all that was announced
	} else {
		h.writes.lend()
		h.writes.stop()
	}
	h.body.end()
}

func (h *httpCall) endSpan(method, route, scheme string, status int) {
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
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("url.scheme", scheme), attribute.Int("http.response.status_code", status))
	if kind := httpErrorType(status); kind != "" {
		span.SetAttributes(attribute.String("error.type", kind))
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
	attrs = append(attrs, who(h)...)
	if route == "" {
		attrs = append(attrs, slog.String("path", logline.Truncate(r.URL.Path))) // never the query: it may hold secrets
	}
	if turnsAway(h.reason) || cfg.Logger.Enabled(h, level) {
		logAnyway(h, cfg.Logger, h.start.Add(elapsed), level, "request", attrs)
	}
}

func serveHTTP(s *Server, next http.Handler, limits HTTPLimits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &httpCall{server: s, writer: w, start: time.Now(), parent: r.Context()}
		beginHTTPTrace(h, r)
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
			h.end(h.request, panicked) // with its route, if middleware has passed on a copy
		}()
		if proved(h) {
			limitRequest(h, r, limits)
			next.ServeHTTP(responseWriterOf(h), r)
		}
		h.returned = true
	})
}
