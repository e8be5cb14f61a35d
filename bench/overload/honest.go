package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/bench/internal/certs"
	"github.com/betmakers/paddock/bench/internal/cores"
)

// honestResult is what became of the calls of an honest shape.
type honestResult struct {
	calls  []call
	seen   metrics // of the service, when all had ended
	looks  looks
	waited float64 // share of the time for which its threads waited for a processor
}

// runHonest prints the table of the honest shapes, a line as soon as it is measured.
func runHonest(ctx context.Context, out io.Writer, p plan, dir certs.Dir, shapes []shape, admissions []string) error {
	if len(shapes) == 0 {
		return nil
	}
	if err := printHonestHead(out, p, admissions); err != nil {
		return err
	}
	for _, s := range shapes {
		var results []honestResult
		for _, admission := range admissions {
			r, err := s.measure(ctx, p.honest, dir, admission)
			if err != nil {
				return fmt.Errorf("%s, admission %s: %w", s.name, admission, err)
			}
			results = append(results, r)
		}
		if err := printHonest(out, s, results); err != nil {
			return err
		}
	}
	return nil
}

// measure sends the calls of s to a fresh process, which may use the whole machine, and waits until
// all have ended.
func (s shape) measure(ctx context.Context, lasts time.Duration, dir certs.Dir, admission string) (r honestResult, err error) {
	env := []string{
		envWorkers + "=" + strconv.Itoa(s.workers), "CHASSIS_CALL_TIMEOUT=5m",
		// All calls are recorded, for the times when they arrived. The spans have nowhere to go.
		"OTEL_TRACES_SAMPLER=always_on", "OTEL_BSP_MAX_QUEUE_SIZE=1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:9",
	}
	err = withService(ctx, cores.Pair{}, dir, honestShape, admission, func(service *process, g *generator) error {
		r.calls = s.schedule(lasts)
		loading, end := context.WithTimeout(ctx, lasts)
		defer end()
		var beside sync.WaitGroup
		var disturbed error
		beside.Go(func() { r.looks = lookOn(loading, service) })
		if s.beside != nil {
			beside.Go(func() { disturbed = s.beside(loading, service) })
		}
		before := service.usage()
		failure := g.open(ctx, r.calls)
		after := service.usage()
		beside.Wait()
		r.waited = (after.waited - before.waited).Seconds() / after.at.Sub(before.at).Seconds()
		seen, unseen := service.scrape(ctx)
		r.seen = seen
		return errors.Join(disturbed, failure, unseen)
	}, env...)
	return r, err
}

// schedule returns the calls of s: the same ones in every run.
func (s shape) schedule(lasts time.Duration) (calls []call) {
	for i, l := range s.loads(lasts) {
		random := rand.New(rand.NewPCG(3, uint64(i)))
		add := func(due time.Duration) {
			calls = append(calls, call{
				due: due, deadline: l.deadline, caller: l.caller, criticality: normal, ask: l.ask(due, random),
			})
		}
		for due := range arrivals(random, l.rate, 0, lasts) {
			add(due)
		}
		for due := l.every / 4; l.burst > 0 && due < lasts; due += l.every {
			for range l.burst {
				add(due)
			}
		}
	}
	inOrder(calls)
	return calls
}

// lost reports whether another end came of c than it asked for, and than a refusal for overload.
func lost(c call) bool { return c.outcome != refused && c.outcome != unsent && c.code != c.hoped() }

// hoped is what a service that is well answers.
func (c *call) hoped() codes.Code {
	switch {
	case c.ask.way == byDeny:
		return codes.PermissionDenied
	case c.ask.invalid:
		return codes.InvalidArgument
	case c.ask.wait >= c.deadline:
		return codes.DeadlineExceeded
	default:
		return codes.OK
	}
}
