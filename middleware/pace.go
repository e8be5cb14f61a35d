package middleware

import (
	"sync"
	"sync/atomic"
	"time"
)

// What is known of a method's pace is not older than two windows, and rests on enough answers.
const (
	paceWindow  = 10 * time.Second
	paceAnswers = 32
	paceProbe   = 8 // of so many calls that seem too slow one is sent all the same
)

// pace is how fast a method has answered lately: the shortest time of all its answers. A call that has less time than
// three quarters of that cannot finish in it, as far as anybody can know. The doubt goes to the call: nothing is known
// before there are some answers, what is known is forgotten where no answers come, and one call of some is sent to find
// out whether the method has become faster. Its zero value is usable; methods may be called concurrently.
type pace struct {
	floor atomic.Int64              // the shortest time known, in nanoseconds; zero while too little is known
	least atomic.Int64              // that of this window, once it has enough answers
	began atomic.Pointer[time.Time] // when this window did, by the monotonic clock

	mu          sync.Mutex
	now, before answers
	refused     atomic.Uint64
}

// answers are those of one window. They are counted up to what is enough.
type answers struct {
	n     int
	least time.Duration
}

// answered tells of an answer that took so long. As a rule it is neither the shortest nor one of the first.
func (p *pace) answered(took time.Duration, at time.Time) {
	if least := p.least.Load(); least > 0 && int64(took) >= least && p.lasts(at) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(at)
	if p.now.n == 0 || took < p.now.least {
		p.now.least = took
	}
	p.now.n = min(p.now.n+1, paceAnswers)
	p.publish()
}

// refuses reports whether a call that has so much time left should not be made, and the shortest time known.
func (p *pace) refuses(left time.Duration, at time.Time) (least time.Duration, refused bool) {
	least = time.Duration(p.floor.Load())
	if left >= least-least/4 {
		return least, false
	}
	if !p.lasts(at) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.turn(at)
		p.publish()
		if least = time.Duration(p.floor.Load()); left >= least-least/4 {
			return least, false
		}
	}
	return least, p.refused.Add(1)%paceProbe != 0
}

// lasts reports whether at is in the window.
func (p *pace) lasts(at time.Time) bool {
	began := p.began.Load()
	return began != nil && within(*began, at, paceWindow)
}

// turn begins a new window where the last one is over.
func (p *pace) turn(at time.Time) {
	if p.lasts(at) {
		return
	}
	began, next := p.began.Load(), at
	switch {
	case began == nil:
		p.before = answers{}
	case within(*began, at, 2*paceWindow):
		p.before, next = p.now, began.Add(paceWindow)
	default:
		p.before = answers{}
	}
	p.now = answers{}
	p.began.Store(&next)
}

// publish makes what is known readable without the lock.
func (p *pace) publish() {
	p.least.Store(0)
	if p.now.n >= paceAnswers {
		p.least.Store(int64(p.now.least))
	}
	least := p.now.least
	if p.now.n == 0 || p.before.n > 0 && p.before.least < least {
		least = p.before.least
	}
	if p.now.n+p.before.n < paceAnswers {
		least = 0
	}
	p.floor.Store(int64(least))
}
