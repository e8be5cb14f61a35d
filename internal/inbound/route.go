package inbound

import (
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// enter admits the caller until its token ends, or answers.
func enter(h *httpCall, w http.ResponseWriter, r *http.Request, route *Method) (until time.Time, ok bool) {
	d := decide(h, h.parent, route, h, h.start)
	h.ahead, h.caller, h.former, h.reason, h.explain = d, d.caller, d.former, d.reason, d.explain
	h.server.obs.callers.count(d.caller, h.server.trustDomain, resultOf(d.reason, d.audited))
	if d.err == nil {
		return d.until, auditRoute(h, w, r, route)
	}
	h.server.obs.rejected.WithLabelValues(route.Name, string(d.reason)).Inc()
	answerUnread(h)
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

// who returns the attributes of an access-log line with the caller and the reason of a refusal,
// like those of a call.
func who(h *httpCall) (attrs []slog.Attr) {
	explained := "explain"
	if h.reason == "" {
		explained = "would_refuse"
	}
	for _, f := range [...]field{{"method", meantBy(h)}, {"peer", peerOf(h)}, {"reason", string(h.reason)}, {explained, h.explain}} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	return attrs
}

// meantBy is the method that a request would have called but for a refusal or an unreadable body,
// empty for none.
func meantBy(h *httpCall) string {
	if m := h.ahead.method; m != nil && m.handler != nil { // that of a route has none
		return m.Name
	}
	return ""
}

// peerOf returns the caller's identity, as far as the connection proves it or has proved it.
func peerOf(h *httpCall) string {
	if h.former != "" {
		return h.former
	}
	known := h.ahead
	if known.method == nil {
		prove(h.parent, &known, h.start)
	}
	return known.caller.ID
}

func serveRoute(s *Server, record *contract.Method, next http.Handler) http.Handler {
	route := &Method{Method: record, server: s}
	count, byClass := s.routes.of(routeKey{pattern: record.Name}), s.obs.http.ofRoute(pathOf(record.Name))
	s.obs.routeFromZero(record)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := httpCallFrom(r.Context()); h != nil {
			countAs(h, count)
			h.byClass = byClass
			until, ok := enter(h, w, r, route)
			if !ok {
				return
			}
			h.body.plain(record.MaxRequest)
			bound, done := bind(h, r, route, until)
			defer done()
			r = bound
		}
		next.ServeHTTP(w, r)
	})
}
