package inbound

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/betmakers/paddock/internal/served"
)

// What calls spend time on, besides the services, third parties and resources that have names.
var (
	heldBack      = &served.Component{Name: "queue:processors"}
	streamReceive = &served.Component{Name: "stream_receive"}
	streamSend    = &served.Component{Name: "stream_send"}
)

// self is the component of the service's own code, and of all that has no component.
const self = "self"

// spending are the times of one method by component, in nanoseconds.
type spending struct {
	self   atomic.Int64
	others sync.Map // *atomic.Int64 by *served.Component; each is there from its first call on
}

// on returns the counter of a component.
func (s *spending) on(c *served.Component) *atomic.Int64 {
	if known, ok := s.others.Load(c); ok {
		return known.(*atomic.Int64)
	}
	counter, _ := s.others.LoadOrStore(c, new(atomic.Int64))
	return counter.(*atomic.Int64)
}

// byName returns the times of all components. Those of one name are one.
func (s *spending) byName() map[string]time.Duration {
	all := map[string]time.Duration{self: time.Duration(s.self.Load())}
	s.others.Range(func(c, counter any) bool {
		all[c.(*served.Component).Name] += time.Duration(counter.(*atomic.Int64).Load())
		return true
	})
	return all
}

// mostOpen is the number of components that a call is in at once. Time in further ones counts for
// the newest of these.
const mostOpen = 3

// ledger divides the time of one call among components. Every moment is counted once, for the
// component that began last and has not ended, or for the call's own code. So what was waited for
// within another component is not counted twice, and all components add up to the call. The zero
// value begins with the call. Its methods may be called concurrently, and do nothing after close.
type ledger struct {
	mu     sync.Mutex
	until  time.Duration // since the start of the call: what was before is counted
	open   [mostOpen]*atomic.Int64
	n      int8
	closed bool
}

// count counts the time until now. The caller holds the lock.
func (l *ledger) count(to *spending, now time.Duration) {
	if now <= l.until {
		return // another goroutine has read the clock later, and was earlier here
	}
	counter := &to.self
	if l.n > 0 {
		counter = l.open[l.n-1]
	}
	counter.Add(int64(now - l.until))
	l.until = now
}

// begin begins a component.
func (l *ledger) begin(to *spending, c *served.Component, now time.Duration) {
	counter := to.on(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.n == mostOpen {
		return
	}
	l.count(to, now)
	l.open[l.n] = counter
	l.n++
}

// end ends a component. For one that was not begun it does nothing.
func (l *ledger) end(to *spending, c *served.Component, now time.Duration) {
	counter := to.on(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for i := l.n - 1; i >= 0; i-- {
		if l.open[i] != counter {
			continue
		}
		l.count(to, now)
		copy(l.open[i:l.n], l.open[i+1:l.n])
		l.n--
		l.open[l.n] = nil
		return
	}
}

// close ends the call, and all that its goroutines have not ended.
func (l *ledger) close(to *spending, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(to, now)
	l.closed = true
}

// spend counts time that has just passed for c, before the call has other goroutines.
func spend(c *call, component *served.Component, took time.Duration) {
	to := &c.method.metrics.traffic.spent
	now := time.Since(c.start)
	c.spent.count(to, now-took)
	to.on(component).Add(int64(took))
	c.spent.until = now
}
