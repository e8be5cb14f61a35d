package balance

import (
	"slices"
	"time"
)

// When a replica is an outlier. It is compared with the others, never with a fixed number: what makes all of them fail
// or slow is not theirs, and taking them out would only make it worse.
const (
	round = time.Second // between judgements

	// Less than outShare of all replicas are out when another one is taken out. The last one never is: there is nothing
	// to compare it with.
	outShare = .5

	// outFor a replica gets no calls, twice that when it is taken out again, and so on; the count falls by one for each
	// calmFor that it does well.
	outFor       = 5 * time.Second
	outForAtMost = 30 * time.Second
	calmFor      = 10 * time.Second

	// few attempts say enough about a replica that is tried again.
	few = 5
)

// spans are the times whose attempts are compared: short ones find soon what many calls show, long ones find it where
// calls are rare.
var spans = seconds( //nolint:gochecknoglobals // a constant
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 31, 34, 37, 40, 44, 48, 56, 64,
)

// seconds returns spans of so many.
func seconds(counts ...int) []time.Duration {
	all := make([]time.Duration, len(counts))
	for i, n := range counts {
		all[i] = time.Duration(n) * time.Second
	}
	return all
}

// judge ends a round if it is time. Picks drive it: without calls there is nothing to judge.
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
	p.tell()
}

// count takes in how many attempts there were in a round that lasted so long.
func (p *policy) count(lasted instant) {
	var begun int64
	for _, r := range p.replicas {
		begun += r.attempts.begun.Swap(0)
	}
	p.rate = float64(begun) / max(1, time.Duration(lasted*instant(time.Millisecond)).Seconds())
	p.sampling.Store(samplingOf(p.rate / float64(max(1, len(p.replicas)))))
}

// decide takes r, which is the ith replica, out, has it back or leaves it as it is.
func (p *policy) decide(r *replica, i int, found verdict, now instant) {
	switch {
	case !r.absence.out.Load():
		p.decideInUse(r, found, now)
	case int64(now) < r.absence.until.Load():
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
	}
}

// decideOut looks at the attempts that were made to find out how r does.
func (p *policy) decideOut(r *replica, i int, now instant) {
	tries, _ := r.attempts.appendTo(nil, i, instant(r.absence.until.Load()), now)
	ended := 0
	for _, s := range tries {
		if s.ended {
			ended++
		}
	}
	if ended < few {
		return
	}
	others := p.samples(tries[0].begun, now)
	for _, kind := range kinds {
		if p.stands(kind, i, append(others, tries...)) {
			p.leaveOut(r, now)
			return
		}
	}
	p.takeBack(r, now)
}

// takeOut keeps calls away from r, unless too many are out.
func (p *policy) takeOut(r *replica, now instant, found verdict) {
	if float64(p.countOut()) >= outShare*float64(len(p.replicas)) {
		return
	}
	p.peer.log.Warn("replica is taken out", "address", r.address, "reason", found.reason, "attempts", found.attempts,
		"failing", found.failing, "typical", found.typical)
	p.peer.ejected.WithLabelValues(found.reason).Inc()
	p.leaveOut(r, now)
}

// leaveOut begins the time that r has no calls.
func (p *policy) leaveOut(r *replica, now instant) {
	r.times++
	r.changed, r.suspect = now, false
	until := int64(now + milliseconds(min(outForAtMost, time.Duration(r.times)*outFor)))
	r.absence.until.Store(until)
	r.absence.probed.Store(until)
	r.absence.skipped.Store(0)
	r.absence.out.Store(true)
}

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

// tell says how many are out. A peer may have several policies: one that leaves and one that takes its place, or one for
// each locality of a control plane.
func (p *policy) tell() {
	out := p.countOut()
	p.peer.out.Add(float64(out - p.told))
	p.told = out
}
