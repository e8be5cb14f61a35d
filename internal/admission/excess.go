package admission

import (
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

// excess estimates which calls would be refused, for a limiter that refuses none.
type excess struct {
	began                 time.Duration // the second that is looked at
	came, critical, ended int           // calls in it
	rate                  float64       // of calls that ended in the one before, a second; zero if that is not known
}

// turn begins a new second when the last one is over. After a time without calls it starts
// afresh.
func (e *excess) turn(now time.Duration) {
	switch took := now - e.began; {
	case took < time.Second:
	case took < 2*time.Second:
		*e = excess{began: now, rate: float64(e.ended) / took.Seconds()}
	default:
		*e = excess{began: now}
	}
}

// done counts a call that has ended.
func (e *excess) done(now time.Duration) {
	e.turn(now)
	e.ended++
}

// beyond counts a call, and reports whether more calls have begun than end in the same time.
// Critical calls count first.
func (e *excess) beyond(worth criticality.Level, now time.Duration) bool {
	e.turn(now)
	e.came++
	n := e.came
	if worth == criticality.Critical {
		e.critical++
		n = e.critical
	}
	return e.rate > 0 && float64(n-enoughLet) > e.rate*(now-e.began).Seconds()
}
