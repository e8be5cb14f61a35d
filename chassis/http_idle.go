package chassis

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleConns tracks the connections of an HTTP server that wait for their next request. net/http's
// Shutdown closes them at once and loses requests that have arrived but were not read yet, which
// may take some time on a busy machine. Here the goroutine that waits for the request is woken,
// and ends only if it has none.
type idleConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	none  chan struct{} // closed when none is left; nil while end does not wait
}

// idleTime is the time for an idle connection to close or to yield its request.
const idleTime = time.Second

func newIdleConns() *idleConns { return &idleConns{conns: map[net.Conn]struct{}{}} }

// track is the ConnState hook of an http.Server.
func (c *idleConns) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateIdle {
		c.conns[conn] = struct{}{}
		return
	}
	delete(c.conns, conn)
	if c.none != nil && len(c.conns) == 0 {
		close(c.none)
		c.none = nil
	}
}

// end ends idle connections and waits until they are closed or have a request, for at most
// idleTime. The server's answers must already close their connections, so that none becomes idle
// again.
func (c *idleConns) end(ctx context.Context) {
	none := c.wake()
	if none == nil {
		return
	}
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// wake interrupts the reads of idle connections. It returns a channel that is closed when no idle
// connection is left, nil if there is none now.
func (c *idleConns) wake() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if speaksHTTP2(conn) { // Shutdown sends a GOAWAY
			delete(c.conns, conn)
			continue
		}
		_ = conn.SetReadDeadline(time.Now()) // it fails where the connection has ended
	}
	if len(c.conns) == 0 {
		return nil
	}
	c.none = make(chan struct{})
	return c.none
}

func speaksHTTP2(conn net.Conn) bool {
	switch c := conn.(type) {
	case *tls.Conn:
		return c.ConnectionState().NegotiatedProtocol == "h2"
	case interface{ speaksHTTP2() bool }:
		return c.speaksHTTP2()
	default:
		return false
	}
}
