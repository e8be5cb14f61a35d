package mtls

import (
	"net"
	"sync"
	"time"
)

const (
	// lookInterval is how often the open connections are looked at.
	lookInterval = time.Second
	// cutAfter is what the calls under way get on a connection whose peer has nothing to prove any more: what an
	// ordinary call takes at most. Further calls are refused meanwhile.
	cutAfter = 10 * time.Second
)

// connections are the open connections of a port whose clients have presented a certificate. While there are any, a
// timer looks at them: one that should leave is told so, and one whose certificate has ended, is revoked, or comes
// from an authority that is trusted no longer is cut.
type connections struct {
	mu      sync.Mutex
	open    map[*watched]struct{}
	looking bool // a look is due or under way: there is one at a time
}

// watched is one of them. Closing it ends the watch.
type watched struct {
	net.Conn
	raw    net.Conn // what a cut closes: a TLS connection would wait for a client that does not read
	all    *connections
	proof  *proof
	notify func() // tells the client to go, at the first time and once; nil where the protocol's server does it itself
	told   bool
	ended  time.Time // when the proof was first seen to hold no more; zero before
}

// watch begins to look at w, if there is anything to look at.
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

// again has the connections looked at after lookInterval, if there are any. Its caller holds the lock.
func (c *connections) again() {
	c.looking = len(c.open) > 0
	if c.looking {
		time.AfterFunc(lookInterval, c.look)
	}
}

// look goes through the connections. A certificate that must be verified anew takes a fraction of a millisecond, in
// which no connection should have to wait for the lock.
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

// look is only called by the timer, one at a time.
func (w *watched) look(now time.Time) {
	if !w.told && w.proof.leaving(now) {
		w.told = true
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
