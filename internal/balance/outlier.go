package balance

import (
	"slices"
	"time"
)

// When a replica is an outlier. It is compared with the others and never with a fixed number: a
// cause that makes all of them fail or slow is not theirs, and taking replicas out would make it
// worse.
const (
	round = time.Second // between judgements

	// A replica is taken out only if less than outShare of all replicas are out. The last one
	// never is, because there is nothing to compare it with.
	outShare = .5

	// A replica gets almost no calls for outFor, for twice that if its trial shows no
	// improvement, and so on. Each calmFor of good results takes one step back. Then its share
	// grows; see [terms].
	outFor       = 3 * time.Second
	outForAtMost = 30 * time.Second
	calmFor      = 10 * time.Second

	// A slow replica that does not fail may only be cold, and calls warm it up. So its trial
	// lasts for trialFor, whatever was seen before, and has a share of the calls. After warmUp
	// calls it counts as slow and not as cold, and a trial ends with the first few of them, as a
	// trial does at once if calls fail.
	trialFor = 30 * time.Second
	warmUp   = 500

	// few attempts are enough to judge a replica in a trial.
	few = 5
)

// spans are the times whose attempts are compared. Short spans detect an outlier soon if there
// are many calls, long ones detect it if calls are rare.
var spans = seconds( //nolint:gochecknoglobals // a constant
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 31, 34, 37, 40, 44, 48, 56, 64,
)

// seconds returns spans of these numbers of seconds.
func seconds(counts ...int) []time.Duration {
	all := make([]time.Duration, len(counts))
	for i, n := range counts {
		all[i] = time.Duration(n) * time.Second
	}
	return all
}

// judge ends a round if it is time. Picks call it: without calls there is nothing to judge.
func (p *policy) judge(now instant) {
	due := p.due.Load()
	if int64(now) < due || !p.due.CompareAndSwap(due, int64(now+milliseconds(round))) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	lasted := now - p.judged
	p.judged = now
	p.count(lasted)
	found := p.outliers(now)
	for i, r := range p.replicas {
		p.decide(r, i, found[i], now)
	}
	p.draw(now, slices.ContainsFunc(p.replicas, func(r *replica) bool { return r.suspect }))
	p.report()
}

// count counts the attempts in a round, which lasted for the given time.
func (p *policy) count(lasted instant) {
	var begun int64
	for _, r := range p.replicas {
		begun += r.attempts.begun.Swap(0)
	}
	p.rate = float64(begun) / max(1, time.Duration(lasted*instant(time.Millisecond)).Seconds())
	p.sampling.Store(samplingOf(p.rate / float64(max(1, len(p.replicas)))))
}

// decide takes out, returns or keeps r, the ith replica.
func (p *policy) decide(r *replica, i int, found verdict, now instant) {
	switch {
	case !r.absence.out.Load():
		p.decideInUse(r, found, now)
	case now < r.until:
	case r.trial == 0:
		r.beginTrial(now)
	default:
		p.decideOut(r, i, now)
	}
}

func (p *policy) decideInUse(r *replica, found verdict, now instant) {
	again := r.suspect
	r.suspect = found.reason != reasonNone
	switch {
	case found.proved && (again || found.reason == reasonFailures):
		p.takeOut(r, now, found)
	case !r.suspect && r.times > 0 && now-r.changed >= milliseconds(calmFor):
		r.times, r.changed = r.times-1, now
		if r.times == 0 {
			r.absence.tried.Store(0)
		}
	}
}

// beginTrial sends calls to r to check its condition.
func (r *replica) beginTrial(now instant) {
	r.trial, r.looked = now, now
	if r.mayBeCold() {
		r.absence.terms.Store(tried)
	} else {
		r.absence.terms.Store(probed)
	}
}

// decideOut checks the newest attempts of a trial. If they went well, r gets more calls, until it
// has its share.
func (p *policy) decideOut(r *replica, i int, now instant) {
	tries, _ := r.attempts.appendTo(nil, i, r.looked, now)
	ended := 0
	for _, s := range tries {
		if s.ended {
			ended++
		}
	}
	if ended < few {
		return
	}
	reason := p.reasonAgainst(i, append(p.samples(tries[0].begun, now), tries...))
	r.looked = now
	terms := r.absence.terms.Load().next()
	switch {
	case reason == reasonLatency && r.mayBeCold() && now-r.trial < milliseconds(trialFor):
		r.absence.terms.Store(tried)
	case reason != reasonNone:
		p.leaveOut(r, now, reason)
	case terms != nil:
		r.absence.terms.Store(terms)
	default:
		p.takeBack(r, now)
	}
}

// reasonAgainst returns the reason for taking out replica i, empty for none.
func (p *policy) reasonAgainst(i int, samples []sample) string {
	for _, kind := range kinds {
		if p.stands(kind, i, samples) {
			return kind.reason
		}
	}
	return reasonNone
}

// takeOut takes r out, unless too many replicas are out.
func (p *policy) takeOut(r *replica, now instant, found verdict) {
	if float64(p.countOut()) >= outShare*float64(len(p.replicas)) {
		return
	}
	p.peer.log.Warn("replica is taken out", "address", r.address, "reason", found.reason, "attempts", found.attempts,
		"failing", found.failing, "typical", found.typical)
	p.peer.ejected.WithLabelValues(found.reason).Inc()
	p.leaveOut(r, now, found.reason)
}

// leaveOut begins the time in which r gets almost no calls.
func (p *policy) leaveOut(r *replica, now instant, reason string) {
	r.changed, r.suspect, r.reason, r.trial = now, false, reason, 0
	r.until = now + milliseconds(min(outForAtMost, outFor<<min(r.times, mostDoublings)))
	r.times++
	terms := absent
	if r.mayBeCold() {
		terms = warmed
	}
	r.absence.terms.Store(terms)
	r.absence.probed.Store(int64(now))
	r.absence.skipped.Store(0)
	r.absence.out.Store(true)
}

const mostDoublings = 8 // of outFor: far beyond what it is at most

func (p *policy) takeBack(r *replica, now instant) {
	p.peer.log.Info("replica is back", "address", r.address, "after", time.Duration(now-r.changed)*time.Millisecond)
	r.changed = now
	r.since.Store(int64(now))
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

// report updates the metric of replicas that are out. A peer may have several policies: during a
// replacement the old and the new one, or one for each locality of a control plane.
func (p *policy) report() {
	out := p.countOut()
	p.peer.out.Add(float64(out - p.reported))
	p.reported = out
}
