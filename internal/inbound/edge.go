package inbound

import (
	"net/http"
	"slices"
	"strings"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// Edge is what one HTTP port serves. Its fields are set before the first request.
type Edge struct {
	Gateway *gateway.ServeMux // nil for none
	// Routes are the patterns of plain handlers, nil for none. Their pattern "/" is the gateway, or
	// the Edge where there is none.
	Routes *http.ServeMux
	// Fallback gets the requests for paths that neither Routes nor Gateway know, nil for none.
	Fallback *http.ServeMux
	// Methods are HTTP methods of routes beside the usual ones, of custom patterns.
	Methods []string
}

// methods are those that a route may have, in the order of an answer.
func (e *Edge) methods() []string {
	return append([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, e.Methods...)
}

// allowed returns the methods that the path of r has, none if the path is unknown.
func (e *Edge) allowed(r *http.Request) []string {
	if known := e.having(r, e.routed); len(known) > 0 {
		return known
	}
	return e.having(r, e.fallsBack)
}

func (e *Edge) having(r *http.Request, matches func(*http.Request) bool) (known []string) {
	asked := *r
	for _, asked.Method = range e.methods() {
		if matches(&asked) {
			known = append(known, asked.Method)
		}
	}
	return known
}

// routed reports whether a route, other than the fallback, takes r.
func (e *Edge) routed(r *http.Request) bool { return e.plain(r) || e.byGateway(r) }

func (e *Edge) plain(r *http.Request) bool {
	if e.Routes == nil {
		return false
	}
	_, pattern := e.Routes.Handler(r)
	return pattern != "" && pattern != "/"
}

// byGateway reports whether the gateway takes r, HEAD like GET.
func (e *Edge) byGateway(r *http.Request) bool {
	if e.Gateway == nil {
		return false
	}
	if r.Method == http.MethodHead && e.byGateway(asGet(r)) {
		return true
	}
	return GatewayPattern(e.Gateway, r) != ""
}

func (e *Edge) fallsBack(r *http.Request) bool {
	if e.Fallback == nil {
		return false
	}
	_, pattern := e.Fallback.Handler(r)
	return pattern != ""
}

// asGet returns r as a request with GET. Only net/http needs to know that it was HEAD: it drops
// what is written.
func asGet(r *http.Request) *http.Request {
	get := *r
	get.Method = http.MethodGet
	return &get
}

// ServeHTTP answers a request that no pattern has matched, in the place of the gateway.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.unrouted(w, r, http.StatusNotFound)
}

// unrouted answers what has no route: a wrong method, a path of others, or a path
// that does not exist (RFC 9110 sections 9.3.2, 9.3.7 and 15.5.6).
func (e *Edge) unrouted(w http.ResponseWriter, r *http.Request, status int) {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		writeRoutingError(r.Context(), w, status)
		return
	}
	if r.Method == http.MethodHead && status == http.StatusMethodNotAllowed && e.byGateway(asGet(r)) {
		e.Gateway.ServeHTTP(w, asGet(r))
		return
	}
	known := e.having(r, e.routed)
	if len(known) == 0 {
		if e.fallsBack(r) {
			e.Fallback.ServeHTTP(w, r)
			return
		}
		known = e.having(r, e.fallsBack)
	}
	if len(known) == 0 {
		writeRoutingError(r.Context(), w, http.StatusNotFound)
		return
	}
	refuseMethod(w, r, known)
}

// refuseMethod answers a request whose path has other methods. OPTIONS asks for just these.
func refuseMethod(w http.ResponseWriter, r *http.Request, known []string) {
	if !slices.Contains(known, http.MethodOptions) {
		known = append(known, http.MethodOptions)
	}
	w.Header().Set("Allow", strings.Join(known, ", "))
	if r.Method != http.MethodOptions {
		writeRoutingError(r.Context(), w, http.StatusMethodNotAllowed)
		return
	}
	if h := httpCallFrom(r.Context()); h != nil {
		answerUnread(h)
	}
	w.WriteHeader(http.StatusNoContent)
}
