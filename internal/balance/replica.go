package balance

import (
	"sync/atomic"
	"time"
)

// replica is one endpoint of the service. Attempts are counted in atomics. The rest belongs to
// the rounds of judgement.
type replica struct {
	address  string
	waiting  atomic.Int64 // attempts under way whose durations can be compared
	attempts attempts
	absence  absence
	since    atomic.Int64 // when it last became one of those in use: an instant

	// Guarded by the judge's mutex.
	complete instant // from when on its newest samples are complete
	suspect  bool    // it was an outlier in the last round
	times    int     // that it was taken out without a long enough time in between
	changed  instant // when it was taken out, or came back
	reason   string  // why it is out
	until    instant // when its trial begins
	trial    instant // when it began, 0 before
	looked   instant // its attempts from then on are judged next
}

// absence is the time that a replica is out. It gets few attempts, to check its condition and to
// warm it up.
type absence struct {
	out     atomic.Bool
	terms   atomic.Pointer[terms]
	probed  atomic.Int64 // when the newest of the few was let through: an instant
	skipped atomic.Int64 // attempts since
	tried   atomic.Int64 // those that were let through since it did well last
}

// terms decide which attempts go to a replica that is out, at most one at a time.
type terms struct {
	every int64   // one for so many that come by; 0 for none
	after instant // one after so long, however few come by; 0 for no such time
}

var (
	absent    = &terms{}                           //nolint:gochecknoglobals // constants
	warmed    = &terms{every: 40}                  //nolint:gochecknoglobals // it may be merely cold
	probed    = &terms{200, milliseconds(oneIn)}   //nolint:gochecknoglobals // it is tried, and calls may fail
	tried     = &terms{4, milliseconds(2 * oneIn)} //nolint:gochecknoglobals // it is tried, and calls may be slow
	returning = &terms{2, milliseconds(oneIn)}     //nolint:gochecknoglobals // it does well with fewer
)

const oneIn = time.Second

// next returns the terms after a success with these: nil for no restriction.
func (t *terms) next() *terms {
	switch t {
	case returning:
		return nil
	case tried:
		return returning
	default:
		return tried
	}
}

// admits reports whether an attempt may go to r.
func (r *replica) admits(now instant) bool {
	a := &r.absence
	if !a.out.Load() {
		return true
	}
	terms, at, last := a.terms.Load(), int64(now), a.probed.Load()
	if terms.every == 0 {
		return false
	}
	if a.skipped.Add(1) < terms.every && (terms.after == 0 || at-last < int64(terms.after)) {
		return false
	}
	if r.waiting.Load() > 0 && at-last < int64(milliseconds(probePatience)) || !a.probed.CompareAndSwap(last, at) {
		return false
	}
	a.skipped.Store(0)
	a.tried.Add(1)
	return true
}

// mayBeCold reports whether r, which is out, gets calls to warm up: it answers, if slowly, and
// has not had enough.
func (r *replica) mayBeCold() bool {
	return r.reason == reasonLatency && r.absence.tried.Load() < warmUp
}

// probePatience is the time after which the next attempt is made if the last one has not
// returned: it may hang.
const probePatience = 10 * time.Second
