package balance

import (
	"slices"
	"time"
)

// Reasons for taking a replica out.
const (
	reasonNone     = ""
	reasonFailures = "failures"
	reasonLatency  = "latency"
)

// What makes a difference that is there for certain a fault as well.
const (
	// failingShare of its attempts fail, and at least twice the share of the others in the same methods. A method in which
	// more than half fail with the others says nothing.
	failingShare = .3
	failingTimes = 2
	hopelessFrom = .5

	// Half of its attempts take slowTimes as long as those of the others, less what scaling takes, and slowBy longer: a
	// distant zone is no fault.
	slowTimes = 2*octave + 9 // as difference of scaled durations: 4.9
	slowBy    = 10 * time.Millisecond

	// mostCompared bounds how many others a replica is compared with one by one.
	mostCompared = 31
)

// verdict is what is found of a replica in use.
type verdict struct {
	reason   string
	proved   bool // by attempts whose replicas were drawn by lot
	attempts int
	failing  float64 // share of the attempts
	typical  time.Duration
}

// kind is a way to be an outlier.
type kind struct {
	reason string
	score  func([]scored, []sample) []scored
	worse  func(own, other []sample) (worse, known bool)
}

var kinds = []kind{ //nolint:gochecknoglobals // a constant
	{reasonFailures, byFailure, failsMore},
	{reasonLatency, byRank, slower},
}

// samples are what is remembered of the replicas in use since then, as far as it is complete.
func (p *policy) samples(since, now instant) (samples []sample) {
	for i, r := range p.replicas {
		if !r.absence.out.Load() {
			samples, r.complete = r.attempts.appendTo(samples, i, max(since, instant(r.since.Load())), now)
		}
	}
	return samples
}

// outliers compares the replicas in use with each other. Each is compared over the same times as the others: one that
// joined later, or from which more attempts came than are remembered, takes part in the spans that it covers.
func (p *policy) outliers(now instant) []verdict {
	found := make([]verdict, len(p.replicas))
	all := p.samples(now-milliseconds(spans[len(spans)-1]), now)
	slices.SortFunc(all, order)
	within, scores, before := make([]sample, 0, len(all)), make([]scored, 0, len(all)), 0
	for _, span := range spans {
		since := now - milliseconds(span)
		within = p.within(within[:0], all, since)
		if since < 0 || len(within) == 0 && before > 0 {
			break // longer ago less is known
		}
		if len(within) == before {
			continue
		}
		before = len(within)
		proved := p.drawn && since >= p.drawnSince
		for _, kind := range kinds {
			for _, i := range significant(kind.score(scores[:0], within), len(p.replicas)) {
				if !found[i].proved && (proved || found[i].reason == reasonNone) && p.stands(kind, i, within) {
					found[i] = newVerdict(kind.reason, proved, i, within)
				}
			}
		}
	}
	return found
}

// within appends the samples since then of the replicas of which all are known.
func (p *policy) within(samples, all []sample, since instant) []sample {
	for _, s := range all {
		if s.begun >= since && p.replicas[s.of].complete <= since {
			samples = append(samples, s)
		}
	}
	return samples
}

func newVerdict(reason string, proved bool, i int, samples []sample) verdict {
	v := verdict{reason: reason, proved: proved}
	var logs []int
	for _, s := range samples {
		if s.of != i {
			continue
		}
		v.attempts++
		if s.failed {
			v.failing++
		}
		if s.timed {
			logs = append(logs, s.log)
		}
	}
	v.failing /= float64(max(1, v.attempts))
	if len(logs) > 0 {
		slices.Sort(logs)
		v.typical = unscale(logs[len(logs)/2])
	}
	return v
}

// stands reports whether replica i is worse than at least half of the others that it can be compared with.
func (p *policy) stands(kind kind, i int, samples []sample) bool {
	by := make([][]sample, len(p.replicas))
	for _, s := range samples {
		by[s.of] = append(by[s.of], s)
	}
	worse, compared := 0, 0
	for other := range by {
		if other == i || compared == mostCompared {
			continue
		}
		if is, known := kind.worse(by[i], by[other]); known {
			compared++
			if is {
				worse++
			}
		}
	}
	return compared > 0 && 2*worse >= compared
}

// failsMore compares two replicas by the share of failures, method by method.
func failsMore(own, other []sample) (worse, known bool) {
	type tally struct{ own, ownFailed, other, otherFailed float64 }
	methods := map[int]tally{}
	for _, s := range own {
		if t := methods[s.method]; s.ended {
			t.own, t.ownFailed = t.own+1, t.ownFailed+one(s.failed)
			methods[s.method] = t
		}
	}
	for _, s := range other {
		if t := methods[s.method]; s.ended {
			t.other, t.otherFailed = t.other+1, t.otherFailed+one(s.failed)
			methods[s.method] = t
		}
	}
	var attempts, failed, expected float64
	for _, t := range methods {
		if t.own == 0 || t.other == 0 || t.otherFailed/t.other > hopelessFrom {
			continue
		}
		attempts, failed, expected = attempts+t.own, failed+t.ownFailed, expected+t.own*t.otherFailed/t.other
	}
	if attempts == 0 {
		return false, len(methods) > 0 && len(own) > 0 && len(other) > 0
	}
	return failed >= failingShare*attempts && failed >= failingTimes*expected, true
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// slower compares two replicas by the median of what each attempt of the one takes longer than each of the other in the
// same method. It is that of a typical call, whatever else the method does, and few long calls do not move it.
func slower(own, other []sample) (worse, known bool) {
	type tally struct{ own, other, slower float64 }
	methods := map[int]tally{}
	for _, a := range own {
		if !a.timed {
			continue
		}
		t := methods[a.method]
		t.own++
		t.other = 0
		for _, b := range other {
			if b.timed && b.method == a.method {
				t.other++
				t.slower += one(a.log >= b.log+slowTimes && unscale(a.log) >= unscale(b.log)+slowBy)
			}
		}
		methods[a.method] = t
	}
	var share, weight float64
	for _, t := range methods {
		share += t.slower / (t.own + t.other) // so that a method weighs as much as it tells
		weight += t.own * t.other / (t.own + t.other)
	}
	return weight > 0 && share >= weight/2, weight > 0
}
