package health

import "time"

// State is the state of a check.
type State string

// A check is Pending until its first result, and never again after it.
const (
	Pending State = "pending"
	Passing State = "passing"
	Failing State = "failing"
)

// Status is the state of a Monitor at one moment. It is a copy that the caller owns.
type Status struct {
	Ready   bool
	Serving bool // the switch of SetServing
	Started bool // MarkStarted was called
	Checks  []CheckStatus
}

// CheckStatus is the state of one check.
type CheckStatus struct {
	Name         string
	State        State
	Soft         bool
	Degraded     bool          // State is Passing, and the newest result one of [Degraded]
	Since        time.Time     // time of the last change of State; for Pending, when the check was added
	LastRun      time.Time     // start of the newest run that has a result; zero while Pending
	LastDuration time.Duration // of that run; so far if it hangs
	LastError    string        // of the newest result, with credentials masked; empty for none; not in probes
	Failures     int           // consecutive, up to the newest result
}

// result is the outcome of one run. The reason is empty only if it passed and is not degraded.
type result struct {
	start    time.Time
	duration time.Duration
	failed   bool
	degraded bool // and not failed
	reason   string
	stack    string // where the probe panicked
}

// record is a check's state and its counts of consecutive results.
type record struct {
	CheckStatus
	against int // results in a row that contradict State
}

// apply applies a result and reports whether the state changed.
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
