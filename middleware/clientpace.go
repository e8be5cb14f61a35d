package middleware

import (
	"sync"
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
	mu          sync.Mutex
	began       time.Time // of the window
	now, before answers
	refused     uint
}

// answers are those of one window.
type answers struct {
	n     int
	least time.Duration
}

// answered tells of an answer that took so long.
func (p *pace) answered(took time.Duration, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(at)
	if p.now.n == 0 || took < p.now.least {
		p.now.least = took
	}
	p.now.n++
}

// refuses reports whether a call that has so much time left should not be made, and the shortest time known.
func (p *pace) refuses(left time.Duration, at time.Time) (least time.Duration, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(at)
	least = p.now.least
	if p.now.n == 0 || p.before.n > 0 && p.before.least < least {
		least = p.before.least
	}
	if p.now.n+p.before.n < paceAnswers || left >= least-least/4 {
		return least, false
	}
	p.refused++
	return least, p.refused%paceProbe != 0
}

// turn begins a new window where the last one is over.
func (p *pace) turn(at time.Time) {
	switch age := at.Sub(p.began); {
	case age < paceWindow:
		return
	case age < 2*paceWindow:
		p.before = p.now
	default:
		p.before = answers{}
	}
	p.now, p.began = answers{}, at
}
