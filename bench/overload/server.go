package main

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"google.golang.org/grpc/status"

	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
	"github.com/betmakers/paddock/chassis"
)

// envShape makes the process the service whose work has this shape.
const envShape = "PADDOCK_OVERLOAD_SHAPE"

const (
	poolSlots = 10
	poolHold  = 10 * time.Millisecond
	cpuBurn   = 2 * time.Millisecond
)

// serve is the service's process.
func serve(ctx context.Context, shape string) error {
	return chassis.Run(ctx, chassis.Service{
		Name:              "work",
		UnaryInterceptors: failsafeLimiter(),
		Setup: func(_ context.Context, app *chassis.App) error {
			do, err := workOf(app, shape)
			if err != nil {
				return err
			}
			overloadv1.RegisterWorkServiceServer(app, &work{do: do})
			return nil
		},
	})
}

func workOf(app *chassis.App, shape string) (func(context.Context) error, error) {
	switch shape {
	case "pool":
		return pool(app, poolSlots, poolHold)
	case "cpu":
		return burn(cpuBurn), nil
	default:
		return nil, fmt.Errorf("shape %q: expected pool or cpu", shape)
	}
}

type work struct {
	overloadv1.UnimplementedWorkServiceServer
	do func(context.Context) error
}

func (w *work) Critical(ctx context.Context, _ *overloadv1.CriticalRequest) (*overloadv1.CriticalResponse, error) {
	return &overloadv1.CriticalResponse{}, w.do(ctx)
}

func (w *work) Normal(ctx context.Context, _ *overloadv1.NormalRequest) (*overloadv1.NormalResponse, error) {
	return &overloadv1.NormalResponse{}, w.do(ctx)
}

func (w *work) Sheddable(ctx context.Context, _ *overloadv1.SheddableRequest) (*overloadv1.SheddableResponse, error) {
	return &overloadv1.SheddableResponse{}, w.do(ctx)
}

// pool is work that waits for one of slots, as for a connection to a database, and holds it.
func pool(app *chassis.App, slots int, hold time.Duration) (func(context.Context) error, error) {
	acquire, err := app.Resource("pool", slots)
	return func(ctx context.Context) error {
		release, err := acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		select {
		case <-time.After(hold):
			return nil
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}, err
}

// burn is work that computes, and looks at nothing until it is done.
func burn(cpu time.Duration) func(context.Context) error {
	turns := calibrate(cpu)
	return func(context.Context) error {
		runtime.KeepAlive(compute(turns))
		return nil
	}
}

// calibrate returns the turns that take cpu. It counts the time of the process and not that of the clock, for a neighbour
// on the same core would make the work too small; nothing else runs yet.
func calibrate(cpu time.Duration) int {
	const enough = 50 * time.Millisecond
	for turns := 1 << 20; ; turns *= 2 {
		before := cpuTime()
		runtime.KeepAlive(compute(turns)) // or the compiler might leave it out
		if took := cpuTime() - before; took > enough {
			return int(float64(turns) * float64(cpu) / float64(took))
		}
	}
}

func compute(turns int) uint32 {
	x := uint32(1)
	for range turns {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only a wrong argument fails
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
