package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is one call: when it is due, whose it is, what it asks for, and what became of it.
type call struct {
	due         time.Duration // since the load began
	deadline    time.Duration // from then on
	caller      int
	criticality criticality
	apart       bool // of the second method
	ask         ask  // of the honest shapes

	outcome outcome
	code    codes.Code
	lag     time.Duration // from due to sent: the generator's own delay
	took    time.Duration // from due to the answer
}

type criticality int

const (
	critical criticality = iota
	normal
	sheddable
)

type outcome int

const (
	unsent  outcome = iota // too many were outstanding
	served                 // within the deadline
	refused                // by the server, which has more than it can do
	expired                // the deadline came first, on either side
	failed                 // anything else
)

func outcomeOf(err error) outcome {
	switch status.Code(err) {
	case codes.OK:
		return served
	case codes.ResourceExhausted, codes.Unavailable:
		return refused
	case codes.DeadlineExceeded, codes.Canceled:
		return expired
	default:
		return failed
	}
}

// send makes the call and notes what became of it.
func (c *call) send(ctx context.Context, due time.Time, conn *connection, send sender) {
	ctx, cancel := context.WithDeadline(ctx, due.Add(c.deadline))
	defer cancel()
	c.lag = time.Since(due)
	err := send(ctx, conn, c)
	c.code, c.outcome = status.Code(err), outcomeOf(err)
	c.took = time.Since(due)
	if c.outcome == served && c.took > c.deadline {
		c.code, c.outcome = codes.DeadlineExceeded, expired // the answer was on its way
	}
}

// phase is a time of steady load.
type phase struct {
	rate  float64 // calls per second
	apart float64 // and of the second method
	lasts time.Duration
}

// schedule returns the calls of one phase after the other. They come independently of each other,
// as those of many users do, and the same ones in every run.
func schedule(deadline time.Duration, phases ...phase) (all [][]call) {
	random := rand.New(rand.NewPCG(1, 2))
	worth := []float64{critical: .2, normal: .5, sheddable: .3}
	from := []float64{large: callers[large].share, small: callers[small].share}
	var begin time.Duration
	for _, p := range phases {
		var calls []call
		for due := range arrivals(random, p.rate, begin, p.lasts) {
			calls = append(calls, call{
				due: due, deadline: deadline,
				caller: pick(random.Float64(), from), criticality: criticality(pick(random.Float64(), worth)),
			})
		}
		for due := range arrivals(random, p.apart, begin, p.lasts) {
			calls = append(calls, call{due: due, deadline: deadline, caller: large, criticality: normal, apart: true})
		}
		inOrder(calls)
		all = append(all, calls)
		begin += p.lasts
	}
	return all
}

// arrivals yields times at random, rate a second on average.
func arrivals(random *rand.Rand, rate float64, begin, lasts time.Duration) func(yield func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		if rate <= 0 {
			return
		}
		due := begin
		for {
			due += time.Duration(random.ExpFloat64() / rate * float64(time.Second))
			if due >= begin+lasts || !yield(due) {
				return
			}
		}
	}
}

func inOrder(calls []call) {
	slices.SortStableFunc(calls, func(a, b call) int { return cmp.Compare(a.due, b.due) })
}

// pick returns the index of the share that at, of [0, 1), falls into.
func pick(at float64, shares []float64) int {
	for i, share := range shares {
		if at -= share; at < 0 {
			return i
		}
	}
	return len(shares) - 1
}
