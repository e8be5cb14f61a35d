package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// replica is one endpoint of the service. Attempts count in atomics; the rest belongs to the rounds of judgement.
type replica struct {
	address string
	waiting atomic.Int64 // attempts under way whose durations can be compared
	seen    counts       // since the last round
	absence absence

	// Guarded by the policy's mutex.
	window  window
	waited  int64     // waiting, at the end of the last round
	times   int       // that it was taken out without a long enough time in between
	changed time.Time // when it was taken out, or came back
}

// counts are what attempts leave behind between two rounds.
type counts struct {
	calls, failures atomic.Int64
	timed, logs     atomic.Int64 // attempts with a duration, and the sum of its logarithms in 1/1000
}

// logUnit makes an integer of a logarithm.
const logUnit = 1000

// took counts a duration. Its logarithm is what is averaged, so that a few long calls among many short ones do not make
// a replica slow.
func (c *counts) took(d time.Duration) {
	c.timed.Add(1)
	c.logs.Add(int64(logUnit * log(d)))
}

// log is the binary logarithm of d in microseconds, of which it takes one at least.
func log(d time.Duration) float64 { return math.Log2(max(1, float64(d)/float64(time.Microsecond))) }

// window is what is known of a replica: the newest counts in full, and older ones the less the older they are.
type window struct{ calls, failures, timed, logs float64 }

// fade is what is left of a window after a second: it has half of its weight in the last two. Where calls are rare, as
// many are kept as it takes to judge, unless there were none for fadesAfter.
const (
	fade       = .7
	fadesAfter = 10 * time.Second
)

// left is the part of a window that is kept after a round that lasted for so long.
func (r *replica) left(lasted time.Duration) float64 {
	left := math.Pow(fade, lasted.Seconds())
	if r.window.calls*left < enough && lasted < fadesAfter {
		return min(1, enough/r.window.calls)
	}
	return left
}

// turn ends a round that lasted for so long: the window ages, and takes in what was seen meanwhile.
func (r *replica) turn(lasted time.Duration) {
	w, left, calls := &r.window, r.left(lasted), float64(r.seen.calls.Swap(0))
	w.calls = w.calls*left + calls
	w.failures = w.failures*left + float64(r.seen.failures.Swap(0))
	w.timed = w.timed*left + float64(r.seen.timed.Swap(0))
	w.logs = w.logs*left + float64(r.seen.logs.Swap(0))/logUnit
	if calls == 0 && r.waited > 0 && r.waiting.Load() > 0 { // what waits has waited for the whole round: it hangs
		w.timed += float64(r.waited)
		w.logs += float64(r.waited) * log(lasted)
	}
	r.waited = r.waiting.Load()
}

// failing is the share of the calls that failed.
func (w *window) failing() float64 { return w.failures / w.calls }

// typical is the logarithm of the geometric mean of the durations.
func (w *window) typical() float64 { return w.logs / w.timed }

// absence is the time that a replica is out: none of it is called at first, then a few, to find out how it does.
type absence struct {
	out     atomic.Bool
	until   atomic.Int64 // no calls before, in Unix nanoseconds
	probed  atomic.Int64 // when the newest of the few was let through
	skipped atomic.Int64 // attempts since
}

// One attempt goes to a replica that is out for so many that do not, or after so long.
const (
	probeEvery = 200
	probeAfter = time.Second
)

// admits reports whether an attempt may go to r.
func (r *replica) admits(now time.Time) bool {
	a := &r.absence
	if !a.out.Load() {
		return true
	}
	at, last := now.UnixNano(), a.probed.Load()
	if at < a.until.Load() {
		return false
	}
	if skipped := a.skipped.Add(1); skipped < probeEvery && at-last < int64(probeAfter) {
		return false
	}
	if r.waiting.Load() > 0 && at-last < int64(probePatience) || !a.probed.CompareAndSwap(last, at) {
		return false
	}
	a.skipped.Store(0)
	return true
}

// probePatience is how long the next attempt is held back where the last has not come back: it may hang.
const probePatience = 10 * time.Second
