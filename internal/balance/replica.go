package balance

import (
	"sync/atomic"
	"time"
)

// replica is one endpoint of the service. Attempts count in atomics; the rest belongs to the rounds of judgement.
type replica struct {
	address  string
	waiting  atomic.Int64 // attempts under way whose durations can be compared
	attempts attempts
	absence  absence
	since    atomic.Int64 // when it last became one of those in use: an instant

	// Guarded by the policy's mutex.
	complete instant // from when on its newest samples are complete
	suspect  bool    // it was an outlier in the last round
	times    int     // that it was taken out without a long enough time in between
	changed  instant // when it was taken out, or came back
}

// absence is the time that a replica is out: none of it is called at first, then a few, to find out how it does.
type absence struct {
	out     atomic.Bool
	until   atomic.Int64 // no calls before: an instant
	probed  atomic.Int64 // when the newest of the few was let through
	skipped atomic.Int64 // attempts since
}

// One attempt goes to a replica that is out for so many that do not, or after so long.
const (
	probeEvery = 200
	probeAfter = time.Second
)

// admits reports whether an attempt may go to r.
func (r *replica) admits(now instant) bool {
	a := &r.absence
	if !a.out.Load() {
		return true
	}
	at, last := int64(now), a.probed.Load()
	if at < a.until.Load() {
		return false
	}
	if skipped := a.skipped.Add(1); skipped < probeEvery && at-last < int64(milliseconds(probeAfter)) {
		return false
	}
	if r.waiting.Load() > 0 && at-last < int64(milliseconds(probePatience)) || !a.probed.CompareAndSwap(last, at) {
		return false
	}
	a.skipped.Store(0)
	return true
}

// probePatience is how long the next attempt is held back where the last has not come back: it may hang.
const probePatience = 10 * time.Second
