package balance

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// When a replica is an outlier. It is compared with the others and never with a fixed number: a
// cause that makes all of them fail or slow is not theirs, and taking replicas out would make it
// worse.
const (
	roundLasts = time.Second // between judgements

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

// judge decides which replicas of one connection are out, round by round.
type judge struct {
	peer     *Peer
	lots     lots
	sampling sampling
	due      atomic.Int64 // when the next round is: an instant

	mu       sync.Mutex
	judged   instant // when the last round was
	rate     float64 // attempts a second in it
	replicas []*replica
	reported int // how many were out at the last report
}

func newJudge(peer *Peer) *judge { return &judge{peer: peer, lots: lots{drawn: true}} }

// replace sets the replicas that there are from now on.
func (j *judge) replace(replicas []*replica, now instant) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.replicas = replicas
	j.draw(now, false)
	j.report()
}

// round ends a round if it is time. Picks call it: without calls there is nothing to judge.
func (j *judge) round(now instant) {
	due := j.due.Load()
	if int64(now) < due || !j.due.CompareAndSwap(due, int64(now+milliseconds(roundLasts))) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	lasted := now - j.judged
	j.judged = now
	j.count(lasted)
	found := j.outliers(now)
	for i, r := range j.replicas {
		j.decide(r, i, found[i], now)
	}
	j.draw(now, slices.ContainsFunc(j.replicas, func(r *replica) bool { return r.suspect }))
	j.report()
}

// count counts the attempts in a round, which lasted for the given time.
func (j *judge) count(lasted instant) {
	var begun int64
	for _, r := range j.replicas {
		begun += r.attempts.begun.Swap(0)
	}
	j.rate = float64(begun) / max(1, time.Duration(lasted*instant(time.Millisecond)).Seconds())
	j.sampling.adapt(j.rate / float64(max(1, len(j.replicas))))
}

// draw has replicas drawn by lot while the rate is low or one of them is suspected.
func (j *judge) draw(now instant, suspicion bool) {
	j.lots.draw(suspicion || j.rate <= quiet, len(j.replicas), now)
}

// decide takes out, returns or keeps r, the ith replica.
func (j *judge) decide(r *replica, i int, found verdict, now instant) {
	switch {
	case !r.absence.out.Load():
		j.decideInUse(r, found, now)
	case now < r.until:
	case r.trial == 0:
		r.beginTrial(now)
	default:
		j.decideOut(r, i, now)
	}
}

func (j *judge) decideInUse(r *replica, found verdict, now instant) {
	again := r.suspect
	r.suspect = found.reason != reasonNone
	switch {
	case found.proved && (again || found.reason == reasonFailures):
		j.takeOut(r, now, found)
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
func (j *judge) decideOut(r *replica, i int, now instant) {
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
	reason := j.reasonAgainst(i, append(j.samples(tries[0].begun, now), tries...))
	r.looked = now
	terms := r.absence.terms.Load().next()
	switch {
	case reason == reasonLatency && r.mayBeCold() && now-r.trial < milliseconds(trialFor):
		r.absence.terms.Store(tried)
	case reason != reasonNone:
		j.leaveOut(r, now, reason)
	case terms != nil:
		r.absence.terms.Store(terms)
	default:
		j.takeBack(r, now)
	}
}

// reasonAgainst returns the reason for taking out replica i, empty for none.
func (j *judge) reasonAgainst(i int, samples []sample) string {
	for _, kind := range kinds {
		if j.stands(kind, i, samples) {
			return kind.reason
		}
	}
	return reasonNone
}

// takeOut takes r out, unless too many replicas are out.
func (j *judge) takeOut(r *replica, now instant, found verdict) {
	if float64(j.countOut()) >= outShare*float64(len(j.replicas)) {
		return
	}
	j.peer.log.Warn("replica is taken out", "address", r.address, "reason", found.reason, "attempts", found.attempts,
		"failing", found.failing, "typical", found.typical)
	j.peer.ejected.WithLabelValues(found.reason).Inc()
	j.leaveOut(r, now, found.reason)
}

// leaveOut begins the time in which r gets almost no calls.
func (j *judge) leaveOut(r *replica, now instant, reason string) {
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

func (j *judge) takeBack(r *replica, now instant) {
	j.peer.log.Info("replica is back", "address", r.address, "after", time.Duration(now-r.changed)*time.Millisecond)
	r.changed = now
	r.since.Store(int64(now))
	r.absence.out.Store(false)
}

func (j *judge) countOut() (n int) {
	for _, r := range j.replicas {
		if r.absence.out.Load() {
			n++
		}
	}
	return n
}

// report updates the metric of replicas that are out. A peer may have several policies: during a
// replacement the old and the new one, or one for each locality of a control plane.
func (j *judge) report() {
	out := j.countOut()
	j.peer.out.Add(float64(out - j.reported))
	j.reported = out
}
