package chassis

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/chassis/mtls"
)

// connAge is the time when a connection of REST should end: by its age, or before the client's
// certificate expires.
type connAge struct {
	until time.Time
	peer  *mtls.AuthInfo // nil without TLS
}

type connAgeKey struct{}

// aging returns a ConnContext like mtls's that gives each connection an age, varied by up to a
// tenth, so that connections that were opened together do not end together.
func aging(age time.Duration) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		ctx = mtls.ConnContext(ctx, conn)
		a := &connAge{until: time.Now().Add(age - age/10 + rand.N(age/5+1))}
		if p, ok := peer.FromContext(ctx); ok {
			a.peer, _ = p.AuthInfo.(*mtls.AuthInfo)
		}
		return context.WithValue(ctx, connAgeKey{}, a)
	}
}

// endAged ends connections that have reached their age, with the answer to a request: it sends
// Connection: close, which net/http turns into a GOAWAY by HTTP/2. No request is lost. Idle
// connections have the idle timeout, and running requests run to their end.
func endAged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(connAgeKey{}).(*connAge); ok && a.over(time.Now()) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (a *connAge) over(now time.Time) bool {
	return !now.Before(a.until) || a.peer != nil && a.peer.Leaving(now)
}
