package chassis

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleConns are the connections of an HTTP server that wait for their next request. net/http's Shutdown closes them at once,
// and with them what has come on them and was not looked at yet, which on a busy machine is some time ago. Here the goroutine
// that waits for the request is told to go, and goes unless it has one.
type idleConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	none  chan struct{} // closed when there are none left, nil while nobody waits for it
}

// idleTime is how long a connection may take to be closed, or to be found with a request.
const idleTime = time.Second

func newIdleConns() *idleConns { return &idleConns{conns: map[net.Conn]struct{}{}} }

// track is for http.Server.ConnState.
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

// end ends the idle connections and waits until they are closed or have a request, but no longer than idleTime. The server's
// answers must close their connections already, so that none becomes idle again.
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

// wake ends the reads of idle connections, and returns what is closed when there are none, nil if there are none.
func (c *idleConns) wake() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if speaksHTTP2(conn) { // its clients are told by Shutdown
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
	secured, ok := conn.(*tls.Conn)
	return ok && secured.ConnectionState().NegotiatedProtocol == "h2"
}
