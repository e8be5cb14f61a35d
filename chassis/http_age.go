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

// connAge is when a connection of REST should end: at an age, or before the client's certificate ends.
type connAge struct {
	until time.Time
	peer  *mtls.AuthInfo // nil without TLS
}

type connAgeKey struct{}

// aging returns a ConnContext as mtls's that gives each connection an age, up to a tenth more or less than age, so that
// connections which were made together do not end together.
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

// endAged has the answer to a request on a connection that is old enough end it: with Connection: close by HTTP/1.1,
// of which net/http makes a GOAWAY by HTTP/2. No request is lost by either. A connection without requests has the
// idle timeout, and what runs on an old one is left to end.
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
