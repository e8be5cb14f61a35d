package balance

import (
	"slices"
	"time"
)

// Reasons for taking out a replica.
const (
	reasonNone     = ""
	reasonFailures = "failures"
	reasonLatency  = "latency"
)

// The least differences that count as a fault, beyond being statistically certain.
const (
	// A replica fails if failingShare of its attempts fail, and at least twice the share of the
	// others in the same methods. A method in which more than half of the others' attempts fail
	// is ignored.
	failingShare = .3
	failingTimes = 2
	hopelessFrom = .5

	// A replica is slow if half of its attempts take slowTimes as long as those of the others,
	// less the error of scaling, and slowBy longer: a distant zone is not a fault.
	slowTimes = 2*octave + 9 // as difference of scaled durations: 4.9
	slowBy    = 10 * time.Millisecond

	// mostCompared bounds the number of other replicas that a replica is compared with
	// individually.
	mostCompared = 31
)

// verdict is the result for a replica in use.
type verdict struct {
	reason   string
	proved   bool // by attempts whose replicas were drawn by lot
	attempts int
	failing  float64 // share of the attempts
	typical  time.Duration
}

// kind is a way in which a replica can be an outlier.
type kind struct {
	reason string
	score  func([]scored, []sample) []scored
	worse  func(own, other []sample) (worse, known bool)
}

var kinds = []kind{ //nolint:gochecknoglobals // a constant
	{reasonFailures, byFailure, failsMore},
	{reasonLatency, byRank, slower},
}

// samples returns the attempts of the replicas in use since then, as far as they are complete.
func (j *judge) samples(since, now instant) (samples []sample) {
	for i, r := range j.replicas {
		if !r.absence.out.Load() {
			samples, r.complete = r.attempts.appendTo(samples, i, max(since, instant(r.since.Load())), now)
		}
	}
	return samples
}

// outliers compares the replicas in use with each other, over equal times. A replica that joined
// later, or with more attempts than are remembered, takes part in the spans for which its
// attempts are complete.
func (j *judge) outliers(now instant) []verdict {
	found := make([]verdict, len(j.replicas))
	all := j.samples(now-milliseconds(spans[len(spans)-1]), now)
	slices.SortFunc(all, order)
	within, scores, before := make([]sample, 0, len(all)), make([]scored, 0, len(all)), 0
	for _, span := range spans {
		since := now - milliseconds(span)
		within = j.within(within[:0], all, since)
		if since < 0 || len(within) == 0 && before > 0 {
			break // longer ago less is known
		}
		if len(within) == before {
			continue
		}
		before = len(within)
		proved := j.lots.drawn && since >= j.lots.since
		for _, kind := range kinds {
			for _, i := range significant(kind.score(scores[:0], within), len(j.replicas)) {
				if !found[i].proved && (proved || found[i].reason == reasonNone) && j.stands(kind, i, within) {
					found[i] = newVerdict(kind.reason, proved, i, within)
				}
			}
		}
	}
	return found
}

// within appends the samples since then of the replicas whose samples are complete.
func (j *judge) within(samples, all []sample, since instant) []sample {
	for _, s := range all {
		if s.begun >= since && j.replicas[s.of].complete <= since {
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

// stands reports whether replica i is worse than at least half of the replicas that it can be
// compared with.
func (j *judge) stands(kind kind, i int, samples []sample) bool {
	by := make([][]sample, len(j.replicas))
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

// slower compares two replicas by the median of the differences between the durations of their
// attempts in the same method. The median describes a typical call, whatever else the method
// does, and a few long calls do not change it.
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
		share += t.slower / (t.own + t.other) // so that a method has the weight of its evidence
		weight += t.own * t.other / (t.own + t.other)
	}
	return weight > 0 && share >= weight/2, weight > 0
}
