package mtls

import (
	"net"
	"sync"
	"time"
)

const (
	// lookInterval is the interval between checks of open connections.
	lookInterval = time.Second
	// cutAfter is the time that running calls have after the peer's certificate became invalid,
	// enough for an ordinary call. New calls are refused meanwhile.
	cutAfter = 10 * time.Second
)

// connections are the open connections of a port whose clients have presented a certificate.
// While there are any, a timer checks them. A client that should reconnect is notified. A
// connection is cut if its certificate has expired or is revoked, or if its authority is no
// longer trusted.
type connections struct {
	mu      sync.Mutex
	open    map[*watched]struct{}
	looking bool // a look is due or under way: there is one at a time
}

// watched is one connection. Closing it ends the watch.
type watched struct {
	net.Conn
	raw      net.Conn // what a cut closes: a TLS connection would wait for a client that does not read
	all      *connections
	proof    *proof
	notify   func() // asks the client to reconnect, once; nil if the protocol's server does that itself
	notified bool
	ended    time.Time // when the proof was first seen to hold no more; zero before
}

// watch starts to check w, if it can expire.
func (c *connections) watch(w *watched) {
	if w.proof == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*watched]struct{}{}
	}
	c.open[w] = struct{}{}
	if !c.looking {
		c.again()
	}
}

func (w *watched) Close() error {
	w.all.mu.Lock()
	delete(w.all.open, w)
	w.all.mu.Unlock()
	return w.Conn.Close()
}

// again schedules the next check if connections are left. The caller holds the lock.
func (c *connections) again() {
	c.looking = len(c.open) > 0
	if c.looking {
		time.AfterFunc(lookInterval, c.look)
	}
}

// look checks the connections. It does not hold the lock while it verifies a certificate again,
// which takes a fraction of a millisecond.
func (c *connections) look() {
	c.mu.Lock()
	all := make([]*watched, 0, len(c.open))
	for w := range c.open {
		all = append(all, w)
	}
	c.mu.Unlock()
	for _, w := range all {
		w.look(time.Now())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again()
}

// look is called only by the timer, one call at a time.
func (w *watched) look(now time.Time) {
	if !w.notified && w.proof.leaving(now) {
		w.notified = true
		if w.notify != nil {
			go w.notify() // a client that reads nothing holds it until the connection is closed
		}
	}
	switch {
	case w.proof.valid(now) == nil:
		w.ended = time.Time{}
	case w.ended.IsZero():
		w.ended = now
	case now.Sub(w.ended) >= cutAfter:
		_ = w.raw.Close() // which has the server close the rest
	}
}
