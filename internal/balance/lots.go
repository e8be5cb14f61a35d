package balance

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Up to quiet calls a second, the replica of each attempt is drawn by lot. At higher rates, where
// drawing has a noticeable cost, it is drawn only while a replica is suspected.
const (
	quiet    = 1000
	mostLots = 16
)

// lots draw the replicas of attempts. The child uses a fixed order, which may coincide with a
// pattern in the calls: of two replicas one could get all large requests and the other all small
// ones, and the difference would not be their fault. Lots are drawn without replacement, so of n
// attempts each of n replicas gets one. The zero value draws none.
type lots struct {
	of atomic.Int64 // how many there are: the replicas, up to mostLots

	drawn bool    // whether replicas are drawn. This and since are guarded by the judge's mutex
	since instant // from when on they have been

	mu    sync.Mutex
	order []int
	next  int // in order
	last  int // that was drawn
}

// skip returns the number of the child's picks to skip.
func (l *lots) skip() int {
	of := int(l.of.Load())
	if of < 2 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) != of || l.next == of {
		l.order, l.next = rand.Perm(of), 0
	}
	last := l.last
	l.last = l.order[l.next]
	l.next++
	return (l.last - last - 1 + 2*of) % of
}

// draw starts or stops drawing replicas by lot.
func (l *lots) draw(drawn bool, replicas int, now instant) {
	if drawn && !l.drawn {
		l.since = now
	}
	l.drawn = drawn
	if !drawn {
		l.of.Store(0)
		return
	}
	l.of.Store(int64(min(mostLots, replicas)))
}
