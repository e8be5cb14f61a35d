package admission

import "time"

// excess estimates which calls would be refused, where none is held back.
type excess struct {
	began          time.Duration // the second that is looked at
	came, critical int           // calls in it
}

// beyond counts a call, and reports whether it is one too many at a rate of calls that can be done in a second. The
// critical ones are done first.
func (e *excess) beyond(worth Worth, rate float64, now time.Duration) bool {
	if now-e.began > time.Second {
		*e = excess{began: now}
	}
	e.came++
	n := e.came
	if worth == Critical {
		e.critical++
		n = e.critical
	}
	return float64(n-enoughLet) > rate*(now-e.began).Seconds()
}
