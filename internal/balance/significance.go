package balance

import (
	"cmp"
	"math"
	"slices"
)

// alpha is the probability of taking a replica that is like the others for an outlier, in one
// comparison of one span. The spans of a judgement have most of their attempts in common, so that
// in total it errs about once in a thousand million.
const alpha = 2e-10

// doubt is the number of standard deviations from its expectation at which the probability of a
// sum is computed.
const doubt = 4

// scored is an attempt with its score in a comparison.
type scored struct {
	of, method int
	score      float64
}

// byRank scores durations by their rank among those of the same method, from 0 to 1. Equal
// durations have equal scores. Ranks need no assumption about the distribution: a method may take
// a millisecond or a minute, depending on its request. Samples must be in order; see [order].
func byRank(ranked []scored, samples []sample) []scored {
	for of := range chunks(samples, func(a, b sample) bool { return a.method == b.method }) {
		below, size := 0, float64(len(of)+1)
		for equal := range chunks(of, func(a, b sample) bool { return a.log == b.log }) {
			rank := (float64(below) + float64(len(equal)+1)/2) / size
			for _, s := range equal {
				if s.timed {
					ranked = append(ranked, scored{s.of, s.method, rank})
				}
			}
			below += len(equal)
		}
	}
	return ranked
}

// byFailure scores failed attempts with 1 and others with 0. If none has failed, it returns no
// scores.
func byFailure(failures []scored, samples []sample) []scored {
	if !slices.ContainsFunc(samples, func(s sample) bool { return s.failed }) {
		return failures
	}
	for _, s := range samples {
		if s.ended {
			failures = append(failures, scored{s.of, s.method, one(s.failed)})
		}
	}
	return failures
}

// order sorts by method, then by duration.
func order(a, b sample) int {
	return cmp.Or(cmp.Compare(a.method, b.method), cmp.Compare(a.log, b.log))
}

// chunks yields runs of equal elements.
func chunks[E any](all []E, alike func(a, b E) bool) func(yield func([]E) bool) {
	return func(yield func([]E) bool) {
		for len(all) > 0 {
			n := 1
			for n < len(all) && alike(all[0], all[n]) {
				n++
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// stratum is a method in the comparison of one replica.
type stratum struct {
	all []scored
	own int     // how many of them are the replica's
	sum float64 // of its scores
}

// significant returns the replicas whose sum of scores is greater than chance can explain. Chance
// is the choice of the replica for each attempt. If that is drawn by lot, a property that
// attempts have in common, such as a burst of slow ones or a method that always fails, is no
// evidence against any of them. Attempts must be in order of their methods.
func significant(all []scored, replicas int) []int {
	excess, variance := make([]float64, replicas), make([]float64, replicas)
	own, sum := make([]int, replicas), make([]float64, replicas)
	for of := range chunks(all, sameMethod) {
		clear(own)
		clear(sum)
		total, squares := 0.0, 0.0
		for _, s := range of {
			own[s.of]++
			sum[s.of] += s.score
			total += s.score
			squares += s.score * s.score
		}
		size := float64(len(of))
		mean := total / size
		if size < 2 {
			continue
		}
		for r, n := range own {
			if n := float64(n); n > 0 && n < size {
				excess[r] += sum[r] - n*mean
				variance[r] += n * (size - n) / (size * (size - 1)) * max(0, squares-size*mean*mean)
			}
		}
	}
	var found []int
	for r := range replicas {
		if v := variance[r]; v > 0 && excess[r] >= doubt*math.Sqrt(v) && unlikely(strata(all, r), excess[r]/v) {
			found = append(found, r)
		}
	}
	return found
}

func sameMethod(a, b scored) bool { return a.method == b.method }

// strata returns the methods in which replica r can be compared with others.
func strata(all []scored, r int) (found []stratum) {
	for of := range chunks(all, sameMethod) {
		m := stratum{all: of}
		for _, s := range of {
			if s.of == r {
				m.own++
				m.sum += s.score
			}
		}
		if m.own > 0 && m.own < len(of) {
			found = append(found, m)
		}
	}
	return found
}

// unlikely reports whether a sum of scores as great as a replica's has a probability of at most
// alpha, if its attempts are drawn by lot from all attempts of each method. It uses an upper
// bound of the probability, a Chernoff bound for drawing without replacement, which is exact if
// all scores of the replica are above all others. Every tilt gives a bound. The search begins at
// the tilt that a normal distribution would have, and ends when a bound is low enough.
func unlikely(methods []stratum, tilt float64) bool {
	for range 12 {
		bound := 0.0
		for _, m := range methods {
			bound += m.bound(tilt)
		}
		if bound <= math.Log(alpha) {
			return true
		}
		tilt *= 1.7
	}
	return false
}

// bound returns the logarithm of a bound: the expectation of exp(tilt*(sum-m.sum)) over all ways
// to draw m.own attempts is a coefficient of the polynomial prod(1+z*exp(tilt*score)), which for
// every z is at most prod(...)/z^m.own.
func (m stratum) bound(tilt float64) float64 {
	low, high := -50.0, tilt+50 // of -log(z); scores are from 0 to 1
	for range 30 {
		middle, drawn := (low+high)/2, 0.0
		for _, s := range m.all {
			drawn += 1 / (1 + math.Exp(middle-tilt*s.score))
		}
		if drawn > float64(m.own) {
			low = middle
		} else {
			high = middle
		}
	}
	bound := high*float64(m.own) - tilt*m.sum - logChoose(len(m.all), m.own)
	for _, s := range m.all {
		bound += softplus(tilt*s.score - high)
	}
	return bound
}

// softplus is log(1+exp(x)).
func softplus(x float64) float64 { return max(0, x) + math.Log1p(math.Exp(-math.Abs(x))) }

// logChoose is the logarithm of the number of ways to draw k of n.
func logChoose(n, k int) float64 {
	gamma := func(i int) float64 { g, _ := math.Lgamma(float64(i + 1)); return g }
	return gamma(n) - gamma(k) - gamma(n-k)
}
