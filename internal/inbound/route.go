package inbound

import (
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// Route returns next for the callers of record, which is open to the own trust domain where it says nothing, as a
// method is. A token that is not accepted is refused on public routes too, and the rate limit is that of the calls.
// Others get 401, 403 or 429 before a byte of the body is read; they are counted under the record's name, by which
// InFlight counts the requests. Next reads the body as it came, compressed or not, and as much of it as the record's
// MaxRequest says, 0 for no limit. A stream of it ends with what its caller has proved. It must run inside of the handler
// of HTTP, and does nothing outside of it.
func (s *Server) Route(record *contract.Method, next http.Handler) http.Handler {
	route := &Method{Method: record, server: s}
	count := s.routes.of(routeKey{pattern: record.Name})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := httpCallFrom(r.Context()); h != nil {
			h.countAs(count)
			until, ok := h.enter(w, r, route)
			if !ok {
				return
			}
			h.body.plain(record.MaxRequest)
			bound, done := h.bind(r, route, until)
			defer done()
			r = bound
		}
		next.ServeHTTP(w, r)
	})
}

// enter lets the caller in until its token ends, or answers.
func (h *httpCall) enter(w http.ResponseWriter, r *http.Request, route *Method) (until time.Time, ok bool) {
	d := h.server.decide(h, h.parent, route, h, h.start)
	h.ahead, h.caller, h.former, h.reason, h.explain = d, d.caller, d.former, d.reason, d.explain
	if d.err == nil {
		return d.until, h.auditBegin(w, r, route)
	}
	h.server.obs.rejected.WithLabelValues(route.Name, string(d.reason)).Inc()
	h.answerUnread()
	writeError(w, r, d.err, routeStatus)
	return time.Time{}, false
}

// routeStatus is the HTTP status of a refusal.
func routeStatus(code codes.Code) int {
	switch code { //nolint:exhaustive // there are no other refusals
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded, codes.Canceled:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// who returns the attributes of an access-log line that tell who asked and why that was refused, as those of a call do.
func (h *httpCall) who() (attrs []slog.Attr) {
	explained := "explain"
	if h.reason == "" {
		explained = "would_refuse"
	}
	for _, f := range [...]field{{"method", h.meant()}, {"peer", h.peer()}, {"reason", string(h.reason)}, {explained, h.explain}} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	return attrs
}

// meant is the method that a request was about to call which was refused before, as its body cannot be read; empty for
// none.
func (h *httpCall) meant() string {
	if m := h.ahead.method; m != nil && m.handler != nil { // that of a route has none
		return m.Name
	}
	return ""
}

// peer is who asked, as far as the connection has proved it, or had.
func (h *httpCall) peer() string {
	if h.former != "" {
		return h.former
	}
	known := h.ahead
	if known.method == nil {
		known.prove(h.parent, h.start)
	}
	return known.caller.ID
}
