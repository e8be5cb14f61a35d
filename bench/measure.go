package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/betmakers/paddock/bench/internal/cores"
)

// plan says how much is measured.
type plan struct {
	rounds int
	calls  int // in each turn
}

// sample is one contender's turn in one round; all but Throughput and Refused per call.
type sample struct {
	CPU        float64 `json:"cpu_us"`
	Allocs     float64 `json:"allocs"`
	Bytes      float64 `json:"bytes"`
	Throughput float64 `json:"calls_per_second"`
	Refused    float64 `json:"refused"` // share of the calls
}

// result is a contender with its samples, one a round.
type result struct {
	contender
	samples []sample
}

// measure starts a process for every contender and lets them take turns. Which one begins moves on
// with every round, so that nobody always follows the same neighbour.
func measure(ctx context.Context, list []contender, p plan) (results []result, err error) {
	if p.rounds < 1 || p.calls < 1 {
		return nil, fmt.Errorf("%d rounds of %d calls: expected at least one of each", p.rounds, p.calls)
	}
	folder, err := os.MkdirTemp("", "paddock-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	certs := certDir(folder)
	if err := certs.Write("echo", generator); err != nil {
		return nil, err
	}

	on := cores.Find()
	called := targets{}
	processes := make([]*process, len(list))
	defer func() {
		for _, p := range processes {
			if p != nil {
				err = errors.Join(err, p.stop())
			}
		}
		err = errors.Join(err, called.stop())
	}()
	results = make([]result, len(list))
	for i, c := range list {
		results[i].contender = c
		addr, err := called.of(c, certs)
		if err != nil {
			return nil, err
		}
		if processes[i], err = startProcess(c, certs, addr, on); err != nil {
			return nil, err
		}
	}

	unpin, err := on.PinGenerator()
	if err != nil {
		return nil, err
	}
	defer unpin()
	for round := range p.rounds {
		for turn := range list {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			i := (round + turn) % len(list)
			s, err := takeTurn(list[i], processes[i], certs, p.calls)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", list[i].name, round+1, err)
			}
			results[i].samples = append(results[i].samples, s)
		}
	}
	return results, nil
}

// driver makes calls in a closed loop.
type driver interface {
	// run makes calls calls.
	run(calls int) (ran, error)
	close() error
}

// ran is what became of the calls of a run.
type ran struct {
	took    time.Duration
	refused int
}

// drive returns what has the contender do its work: the generator for a server, itself for a
// client.
func drive(c contender, p *process, certs certDir) (driver, error) {
	if c.client != nil {
		return remote{p}, nil
	}
	return dial(c, p.addr, certs)
}

// takeTurn opens connections, warms them and the server up, and measures calls calls.
func takeTurn(c contender, p *process, certs certDir, calls int) (s sample, err error) {
	l, err := drive(c, p, certs)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if _, err := l.run(min(calls, 1000)); err != nil {
		return sample{}, err
	}
	before, err := p.ask(commandBegin)
	if err != nil {
		return sample{}, err
	}
	r, err := l.run(calls)
	if err != nil {
		return sample{}, err
	}
	after, err := p.ask(commandEnd)
	if err != nil {
		return sample{}, err
	}
	n := float64(calls)
	return sample{
		CPU:        float64((after.CPU - before.CPU).Nanoseconds()) / 1e3 / n,
		Allocs:     float64(after.Mallocs-before.Mallocs) / n,
		Bytes:      float64(after.Bytes-before.Bytes) / n,
		Throughput: n / r.took.Seconds(),
		Refused:    float64(r.refused) / n,
	}, nil
}
