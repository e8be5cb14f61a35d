package inbound

import (
	"errors"
	"net/http"
	"slices"
)

// surround puts the service's middleware and CORS around next. CORS is outermost: preflights have
// no credentials, and a page may read also what a middleware answers.
func surround(s *Server, next http.Handler, edge *Edge) (http.Handler, error) {
	if len(s.cfg.Middleware) > 0 {
		next = adopt(next)
	}
	for _, wrap := range slices.Backward(s.cfg.Middleware) {
		if next = wrap(next); next == nil {
			return nil, errors.New("a middleware returned no handler")
		}
	}
	rules, err := newCORS(s.cfg.CORSOrigins, s.cfg.TrustedOrigins, s.cfg.Headers)
	if rules == nil || err != nil {
		return next, err
	}
	rules.edge, rules.next = edge, next
	return rules, nil
}

// adopt has the rest of the pass work with the request that the middleware has passed on, with
// its header and its route.
func adopt(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := httpCallFrom(r.Context()); h != nil {
			h.request = r
		}
		next.ServeHTTP(w, r)
	})
}
