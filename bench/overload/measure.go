package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/betmakers/paddock/bench/internal/certs"
	"github.com/betmakers/paddock/bench/internal/cores"
)

// calmLoad is what the load falls to after the overload, in times of the peak.
const calmLoad = .5

// peakDeadline is that of the calls that find the peak: none of them is to be lost.
const peakDeadline = 2 * time.Second

// The cold burst.
const (
	burstCalls    = 200
	burstDeadline = 2 * time.Second
)

// overloadShapes are the shapes of work of which there is too much.
var overloadShapes = []string{"pool", "cpu", "mixed", "stream", "rest", "rest-http1", "methods"}

// apartLoad is what comes of the second method where one alone is overloaded, in times of the peak.
const apartLoad = .05

// senderOf returns how calls of a shape are made, and by which protocol those by REST are.
func senderOf(shape string) (send sender, protocol string) {
	switch shape {
	case honestShape:
		return sendHonest, "http/1.1"
	case "rest":
		return sendREST, "h2"
	case "rest-http1":
		return sendREST, "http/1.1"
	case "stream":
		return sendStream, "h2"
	default:
		return sendUnary, "h2"
	}
}

// result is what one service, with one value of CHASSIS_ADMISSION, did.
type result struct {
	admission string
	peak      peak
	overload  []call
	calm      []call
	burst     []call
	probes    probes

	begun   float64 // works, in the overload and after
	audited float64 // calls that would have been refused
	samples []usage // of the service, from the first scheduled call to the last, each half second
	after   usage   // when it had time to settle
}

// measure runs the plan with each value of admission.
func measure(ctx context.Context, p plan, dir certs.Dir, shape string, admissions []string) (results []result, err error) {
	on := cores.Find()
	unpin, err := on.PinGenerator()
	if err != nil {
		return nil, err
	}
	defer unpin()
	for _, admission := range admissions {
		r := result{admission: admission}
		with := func(do func(*process, *generator) error) error {
			return withService(ctx, on, dir, shape, admission, do, "GOMAXPROCS=1")
		}
		err := errors.Join(
			with(func(service *process, g *generator) error { return r.underLoad(ctx, p, dir, shape, service, g) }),
			with(func(_ *process, g *generator) error { return r.coldBurst(ctx, g) }),
		)
		if err != nil {
			return nil, fmt.Errorf("%s, admission %s: %w", shape, admission, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// withCertificates calls do with certificates for the service and its callers.
func withCertificates(do func(certs.Dir) error) error {
	folder, err := os.MkdirTemp("", "paddock-overload-")
	if err != nil {
		return err
	}
	dir := certs.Dir(folder)
	if err = dir.Write("work", callers[large].name, callers[small].name); err == nil {
		err = do(dir)
	}
	return errors.Join(err, os.RemoveAll(folder))
}

// withService calls do with a fresh process and connections to it.
func withService(ctx context.Context, on cores.Pair, dir certs.Dir, shape, admission string,
	do func(*process, *generator) error, env ...string,
) error {
	service, err := start(ctx, on, dir, shape, admission, env...)
	if err != nil {
		return err
	}
	defer service.stop()
	send, protocol := senderOf(shape)
	g, err := dial(ctx, service, dir, protocol, send)
	if err != nil {
		return err
	}
	return errors.Join(do(service, g), g.close())
}

// underLoad finds the peak, goes beyond it and back.
func (r *result) underLoad(ctx context.Context, p plan, dir certs.Dir, shape string, service *process, g *generator) error {
	if r.peak = findPeak(ctx, p, service, g); r.peak.served == 0 {
		return errors.New("no call was served at its peak")
	}
	over := phase{rate: p.times * r.peak.served, lasts: p.overload}
	if shape == "methods" {
		over.apart = apartLoad * r.peak.served
	}
	phases := schedule(p.deadline, over, phase{rate: calmLoad * r.peak.served, lasts: p.calm})
	r.overload, r.calm = phases[0], phases[1]
	before, err := service.scrape(ctx)
	if err != nil {
		return err
	}

	loading, stop := context.WithCancel(ctx)
	probing, cancel := context.WithTimeout(ctx, p.overload)
	var beside sync.WaitGroup
	beside.Go(func() { r.samples = sample(loading, service) })
	beside.Go(func() { r.probes = watch(probing, service, dir) })
	err = g.open(ctx, phases...)
	stop()
	beside.Wait()
	cancel()
	time.Sleep(p.settle)
	r.after = service.usage()
	after, failure := service.scrape(ctx)
	r.begun = after[metricBegun] - before[metricBegun]
	r.audited = after[metricAudited] - before[metricAudited]
	return errors.Join(err, failure)
}

// peak is the most that a service does.
type peak struct {
	served    float64 // calls per second
	perSecond float64 // calls for each second of CPU
}

// findPeak tries several numbers of calls at once.
func findPeak(ctx context.Context, p plan, service *process, g *generator) (best peak) {
	for _, atOnce := range []int{4, 8, 16, 32} {
		before := service.usage()
		rate := g.closed(ctx, atOnce, peakDeadline, p.peak)
		after := service.usage()
		if rate > best.served {
			best = peak{served: rate, perSecond: rate * after.at.Sub(before.at).Seconds() / (after.cpu - before.cpu).Seconds()}
		}
	}
	return best
}

// sample looks at the service each half second until ctx ends, and then once more.
func sample(ctx context.Context, service *process) (samples []usage) {
	ticks := time.NewTicker(timelineStep)
	defer ticks.Stop()
	for {
		samples = append(samples, service.usage())
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return append(samples, service.usage())
		}
	}
}

// coldBurst sends many calls of one caller at once to a service that has served none.
func (r *result) coldBurst(ctx context.Context, g *generator) error {
	r.burst = make([]call, burstCalls)
	for i := range r.burst {
		r.burst[i] = call{caller: large, criticality: normal, deadline: burstDeadline}
	}
	return g.open(ctx, r.burst)
}
