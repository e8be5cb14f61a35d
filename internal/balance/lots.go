package balance

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Up to quiet calls a second each attempt's replica is drawn by lot. Where there are more, for which that would cost
// something, it is so while a replica is suspected.
const (
	quiet    = 1000
	mostLots = 16
)

// lots draw the replicas of attempts. The child goes through them in a fixed order, which may be that of the calls: of two
// replicas one would have every large request and the other every small one, and neither would be to blame. Lots are drawn
// without putting back, so that of n attempts each of n replicas has one. The zero value draws none.
type lots struct {
	of atomic.Int64 // how many there are: the replicas, up to mostLots

	mu    sync.Mutex
	order []int
	next  int // in order
	last  int // that was drawn
}

// skip returns how many picks of the child must be left out.
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

// draw begins or ends to draw replicas by lot.
func (p *policy) draw(now instant, suspicion bool) {
	drawn := suspicion || p.rate <= quiet
	if drawn && !p.drawn {
		p.drawnSince = now
	}
	p.drawn = drawn
	if !drawn {
		p.lots.of.Store(0)
		return
	}
	p.lots.of.Store(int64(min(mostLots, len(p.replicas))))
}
