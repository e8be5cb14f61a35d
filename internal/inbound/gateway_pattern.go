package inbound

import (
	"net/http"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// GatewayPattern returns the pattern by which mux, a gateway of [Server.Gateway], would serve r,
// empty for none. It calls no handler.
func GatewayPattern(mux *gateway.ServeMux, r *http.Request) string {
	asked := &askedRoute{header: http.Header{}}
	GatewayHandler(mux).ServeHTTP(asked, r)
	return asked.pattern
}

// isAsked reports whether w is that of a request that only asks.
func isAsked(w http.ResponseWriter) bool {
	_, asked := w.(*askedRoute)
	return asked
}

// askedRoute is the writer of a request that only asks for the pattern, which the gateway's
// middleware stores in it.
type askedRoute struct {
	header  http.Header
	pattern string
}

func (a *askedRoute) Header() http.Header         { return a.header }
func (a *askedRoute) Write(p []byte) (int, error) { return len(p), nil }
func (a *askedRoute) WriteHeader(int)             {}

func (a *askedRoute) note(r *http.Request) {
	if pattern, ok := gateway.HTTPPattern(r.Context()); ok {
		a.pattern = pattern.String()
	}
}
