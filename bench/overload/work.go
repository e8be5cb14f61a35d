package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
)

// The works.
const (
	poolSlots      = 10
	poolHold       = 10 * time.Millisecond
	cpuBurn        = 2 * time.Millisecond
	longBurn       = 50 * time.Millisecond // of each tenth mixed call
	streamBurn     = 5 * time.Millisecond  // before the first message of a stream
	betweenBurn    = time.Millisecond      // after each
	streamMessages = 3
)

// work is what a handler does.
type work func(context.Context) error

// workOf returns the work of a shape, which counts itself in begun when it has what it needs.
func workOf(app *chassis.App, shape string, begun *atomic.Int64) (work, error) {
	switch shape {
	case "pool":
		return pool(app, begun)
	case "cpu", "rest", "rest-http1", "methods":
		return counted(begun, burn(cpuBurn)), nil
	case "mixed":
		return counted(begun, mixed(burn(cpuBurn), burn(longBurn))), nil
	case "stream":
		return counted(begun, burn(streamBurn)), nil
	default:
		return nil, fmt.Errorf("shape %q: expected one of %v", shape, overloadShapes)
	}
}

func counted(begun *atomic.Int64, do func()) work {
	return func(context.Context) error {
		begun.Add(1)
		do()
		return nil
	}
}

// pool is work that waits for a declared resource, as for a connection to a database, and holds it.
func pool(app *chassis.App, begun *atomic.Int64) (work, error) {
	acquire, err := app.Resource("pool", poolSlots)
	return func(ctx context.Context) error {
		release, err := acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		begun.Add(1)
		return wait(ctx, poolHold)
	}, err
}

// wait returns after d, or with the end of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// mixed is long work each tenth time: by turns, so that as much is to be done in each second of a
// load as in its peak.
func mixed(short, long func()) func() {
	var turn atomic.Int64
	return func() {
		if turn.Add(1)%10 == 0 {
			long()
		} else {
			short()
		}
	}
}

// burn is work that computes, and looks at nothing until it is done.
func burn(cpu time.Duration) func() {
	turns := int(float64(calibrate()) * cpu.Seconds())
	return func() { runtime.KeepAlive(compute(turns)) }
}
