package balance

import (
	"math"
	"slices"
	"time"
)

// When a replica is an outlier. It is compared with the others, never with a fixed number: what makes all of them fail
// or slow is not theirs, and taking them out would only make it worse.
const (
	round = time.Second // between judgements

	// enough attempts in a window say something about a replica in use, and a few about one that is tried again.
	enough = 10
	few    = 5

	// failingShare of its calls fail, and at least twice the share of the others.
	failingShare = .3

	// slowTimes the duration of the others, and by slowBy more: a distant zone is no fault.
	slowTimes = 5
	slowBy    = 10 * time.Millisecond

	// Less than outShare of all replicas are out when another one is taken out. The last one never is: there is nothing
	// to compare it with.
	outShare = .5

	// outFor a replica gets no calls, twice that when it is taken out again, and so on; the count falls by one for each
	// calmFor that it does well.
	outFor       = 5 * time.Second
	outForAtMost = 30 * time.Second
	calmFor      = 10 * time.Second
)

// Reasons for taking a replica out.
const (
	reasonNone     = ""
	reasonFailures = "failures"
	reasonLatency  = "latency"
)

// judge ends a round if it is time. Picks drive it: without calls there is nothing to judge.
func (p *policy) judge(now time.Time) {
	due := p.due.Load()
	if now.UnixNano() < due || !p.due.CompareAndSwap(due, now.Add(round).UnixNano()) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	lasted := now.Sub(p.judged)
	p.judged = now
	for _, r := range p.replicas {
		r.turn(lasted)
	}
	for _, r := range p.replicas {
		p.decide(r, now)
	}
	p.tell()
}

// decide takes r out, has it back or leaves it as it is.
func (p *policy) decide(r *replica, now time.Time) {
	out := r.absence.out.Load()
	switch {
	case !out:
		if reason := p.outlier(r, enough); reason != reasonNone {
			p.takeOut(r, now, reason)
		} else if r.times > 0 && now.Sub(r.changed) >= calmFor {
			r.times, r.changed = r.times-1, now
		}
	case now.UnixNano() < r.absence.until.Load():
		r.window = window{} // what came back late says nothing new
	case r.window.calls >= few:
		if reason := p.outlier(r, few); reason != reasonNone {
			p.leaveOut(r, now)
		} else {
			p.takeBack(r, now)
		}
	}
}

// outlier compares r, of which there must be so many attempts, with the replicas that are in use.
func (p *policy) outlier(r *replica, volume float64) string {
	var failing, typical []float64
	for _, other := range p.replicas {
		if other == r || other.absence.out.Load() {
			continue
		}
		if other.window.calls >= enough {
			failing = append(failing, other.window.failing())
		}
		if other.window.timed >= enough {
			typical = append(typical, other.window.typical())
		}
	}
	w := &r.window
	if len(failing) > 0 && w.calls >= volume && w.failing() >= max(failingShare, 2*median(failing)) {
		return reasonFailures
	}
	if len(typical) > 0 && w.timed >= volume && slow(w.typical(), median(typical)) {
		return reasonLatency
	}
	return reasonNone
}

// slow compares two logarithms of durations.
func slow(own, others float64) bool {
	return own >= others+math.Log2(slowTimes) && math.Exp2(own)-math.Exp2(others) >= float64(slowBy/time.Microsecond)
}

// median is the lower one of an even number.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// takeOut keeps calls away from r, unless too many are out.
func (p *policy) takeOut(r *replica, now time.Time, reason string) {
	if float64(p.countOut()) >= outShare*float64(len(p.replicas)) {
		return
	}
	p.peer.log.Warn("replica is taken out", "address", r.address, "reason", reason, "attempts", int(r.window.calls),
		"failing", r.window.failing(), "typical", duration(r.window.typical()))
	p.peer.ejected.WithLabelValues(reason).Inc()
	p.leaveOut(r, now)
}

// leaveOut begins the time that r has no calls.
func (p *policy) leaveOut(r *replica, now time.Time) {
	r.times++
	r.changed, r.window = now, window{}
	until := now.Add(min(outForAtMost, time.Duration(r.times)*outFor))
	r.absence.until.Store(until.UnixNano())
	r.absence.probed.Store(until.UnixNano())
	r.absence.skipped.Store(0)
	r.absence.out.Store(true)
}

func (p *policy) takeBack(r *replica, now time.Time) {
	p.peer.log.Info("replica is back", "address", r.address, "after", now.Sub(r.changed))
	r.changed = now
	r.absence.out.Store(false)
}

func (p *policy) countOut() (n int) {
	for _, r := range p.replicas {
		if r.absence.out.Load() {
			n++
		}
	}
	return n
}

// tell says how many are out. A peer may have several policies: one that leaves and one that takes its place, or one for
// each locality of a control plane.
func (p *policy) tell() {
	out := p.countOut()
	p.peer.out.Add(float64(out - p.told))
	p.told = out
}

// duration is the inverse of log.
func duration(log float64) time.Duration {
	if math.IsNaN(log) {
		return 0
	}
	return time.Duration(math.Exp2(log) * float64(time.Microsecond))
}
