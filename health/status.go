package health

import "time"

// State is what a check's results so far say.
type State string

// A check is Pending until its first result, and never again.
const (
	Pending State = "pending"
	Passing State = "passing"
	Failing State = "failing"
)

// Status is what a Monitor knows at one moment. It is a copy: the reader owns it.
type Status struct {
	Ready   bool
	Serving bool // the switch of SetServing
	Started bool // MarkStarted was called
	Checks  []CheckStatus
}

// CheckStatus is what a Monitor knows of one check.
type CheckStatus struct {
	Name         string
	State        State
	Soft         bool
	Degraded     bool          // State is Passing, and the newest result one of [Degraded]
	Since        time.Time     // when State became what it is; for Pending, when the check was added
	LastRun      time.Time     // start of the newest run that has a result; zero while Pending
	LastDuration time.Duration // of that run; one that hangs: so far
	LastError    string        // of the newest result; empty where all was well. For operators' eyes: no probe shows it. Credentials in it are masked
	Failures     int           // in a row, up to the newest result
}

// result is one run's outcome. One that failed or is degraded says why.
type result struct {
	start    time.Time
	duration time.Duration
	failed   bool
	degraded bool // and not failed
	reason   string
	stack    string // where the probe panicked
}

// record is a check's state with what the hysteresis needs to move it.
type record struct {
	CheckStatus
	against int // results in a row that contradict State
}

// apply takes a result in and reports whether the state changed.
func (r *record) apply(res result, failAfter, passAfter int, now time.Time) (flipped bool) {
	r.LastRun, r.LastDuration, r.LastError = res.start, res.duration, res.reason
	state, needed := Passing, passAfter
	r.Failures++
	if res.failed {
		state, needed = Failing, failAfter
	} else {
		r.Failures = 0
	}
	if state == r.State {
		r.against = 0
		return false
	}
	r.against++
	if r.State != Pending && r.against < needed {
		return false
	}
	r.State, r.Since, r.against = state, now, 0
	return true
}
