package main

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
)

// call is one call: when it is due, whose and of what worth it is, and what became of it.
type call struct {
	due         time.Duration // since the load began
	caller      int
	criticality criticality

	outcome outcome
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
	expired                // the deadline came first, whoever noticed
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

// phase is a time of steady load.
type phase struct {
	rate  float64 // calls per second
	lasts time.Duration
}

// schedule returns the calls of one phase after the other. They come independently of each other, as those of many users
// do, and the same ones in every run.
func schedule(phases ...phase) (all [][]call) {
	random := rand.New(rand.NewPCG(1, 2))
	worth := []float64{critical: .2, normal: .5, sheddable: .3}
	from := []float64{large: callers[large].share, small: callers[small].share}
	var begin time.Duration
	for _, p := range phases {
		var calls []call
		gap := func() time.Duration { return time.Duration(random.ExpFloat64() / p.rate * float64(time.Second)) }
		for due := begin + gap(); due < begin+p.lasts; due += gap() {
			calls = append(calls, call{
				due: due, caller: pick(random.Float64(), from), criticality: criticality(pick(random.Float64(), worth)),
			})
		}
		all = append(all, calls)
		begin += p.lasts
	}
	return all
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

func (c criticality) send(ctx context.Context, client overloadv1.WorkServiceClient) (err error) {
	switch c {
	case critical:
		_, err = client.Critical(ctx, &overloadv1.CriticalRequest{})
	case sheddable:
		_, err = client.Sheddable(ctx, &overloadv1.SheddableRequest{})
	case normal:
		_, err = client.Normal(ctx, &overloadv1.NormalRequest{})
	}
	return err
}
