package chassis_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// stuck is a service with a call that ends when release is closed, whatever its context says.
func stuck(release <-chan struct{}, more ...func(*chassis.App)) (chassis.Service, <-chan struct{}) {
	entered := make(chan struct{}, 1)
	return echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		entered <- struct{}{}
		<-release
		return "", nil
	}}, more...), entered
}

// Where calls were cut, stop functions and workers still have their time, and are waited for.
func TestWorkersHaveTheirTimeAfterCallsWereCut(t *testing.T) {
	t.Parallel()
	const work = 200 * time.Millisecond
	release := make(chan struct{})
	var atStart, atEnd error
	flushed, finished := false, false
	service, entered := stuck(release, func(app *chassis.App) {
		app.OnStop("flush", func(ctx context.Context) error {
			atStart = ctx.Err()
			time.Sleep(work) // the time that is left after real calls were cut
			atEnd = ctx.Err()
			flushed = true
			return nil
		})
		app.Go("batch", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(work) // the same
			finished = true
			return nil
		})
	})
	svc := start(t, service, env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"})
	go func() { _, _ = echo.Say(context.Background(), svc.Conn(), "") }()
	await(t, entered, "the handler is called")
	svc.RequestStop()
	err := svc.Wait()
	if !errors.Is(err, chassis.ErrCallsCut) || !flushed || !finished || atStart != nil || atEnd != nil {
		t.Errorf("got %v, flushed %t with the contexts %v and %v, worker finished %t; want ErrCallsCut, and both in peace",
			err, flushed, atStart, atEnd, finished)
	}
	for _, e := range svc.Events() {
		if e.Step == chassis.WorkersStopped && e.Err != nil {
			t.Errorf("workers are blamed: %v", e.Err)
		}
	}
	close(release)
}

// What hangs at the end is named, and holds nothing up for longer than CHASSIS_SHUTDOWN_TIMEOUT.
func TestHangingStopFunctionIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	flushed := false
	svc := start(t, setsUp(func(app *chassis.App) {
		app.OnStop("flush", func(ctx context.Context) error { flushed = ctx.Err() == nil; return nil })
		app.Go("deaf", func(context.Context) error { <-release; return nil })
		app.OnStop("hangs", func(context.Context) error { <-release; return nil })
	}), env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"})
	svc.RequestStop()
	err := svc.Wait()
	if err == nil || errors.Is(err, chassis.ErrCallsCut) || !flushed {
		t.Fatalf("got %v, flushed %t; want the two that hang named, and the flush with a live context", err, flushed)
	}
	expectAll(t, err.Error(), "stop function hangs did not return in time", "worker deaf did not return in time")
	expectSteps(t, svc.Events(), startOrder, stopOrder)
	close(release)
}

// A Setup that ignores its context is logged at once when a stop is asked for, and named when the
// time is up.
func TestSetupThatHoldsUpTheStop(t *testing.T) {
	t.Parallel()
	inSetup, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	service := echoes(&echo.Service{})
	service.Setup = func(context.Context, *chassis.App) error {
		defer close(left)
		close(inSetup)
		<-release
		return nil
	}
	svc := chassistest.Begin(t, service, chassistest.Options{Env: env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"}})
	await(t, inSetup, "Setup runs")
	svc.RequestStop()
	svc.WaitFor(chassis.StopRequested)
	err := svc.Wait()
	if err == nil {
		t.Fatal("no error")
	}
	expectAll(t, err.Error(), "chassis: setting up the service: it did not return within", "must return when its context ends")
	expectSteps(t, svc.Events(), startOrder[:4], stopOrder)
	if lines := svc.Logs("stop requested during the start: waiting for a step to return"); len(lines) != 1 || lines[0]["doing"] != "setting up the service" {
		t.Errorf("got the lines %v, want one that names Setup", lines)
	}
	close(release) // else the test kit finds its goroutine
	await(t, left, "Setup returns")
}

// A Setup that returns late, but in time, holds nothing up and is no error.
func TestSetupThatEndsDuringTheStop(t *testing.T) {
	t.Parallel()
	inSetup, release := make(chan struct{}), make(chan struct{})
	service := echoes(&echo.Service{})
	closed := false
	service.Setup = func(_ context.Context, app *chassis.App) error {
		close(inSetup)
		<-release
		app.OnStop("database", func(context.Context) error { closed = true; return nil })
		return nil
	}
	svc := chassistest.Begin(t, service, chassistest.Options{})
	await(t, inSetup, "Setup runs")
	svc.RequestStop()
	svc.WaitFor(chassis.StopRequested)
	close(release)
	if err := svc.Wait(); err != nil || !closed {
		t.Errorf("got %v, closed %t; want a clean end", err, closed)
	}
	expectSteps(t, svc.Events(), startOrder[:4], stopOrder)
}

// A panic in Setup, and an end of its goroutine, are failed starts like any other: logged, with
// every step of the stop.
func TestSetupThatPanics(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setup  func(*chassis.App)
		want   string
		logged bool
	}{
		"panic":       {func(*chassis.App) { panic("boom") }, "panic: boom", true},
		"nil pointer": {func(*chassis.App) { var s *echo.Service; s.OnSay = nil }, "nil pointer dereference", true},
		"metric of a name": {func(app *chassis.App) {
			for range 2 {
				app.Metrics().MustRegister(newGauge("bets_open"))
			}
		}, "duplicate metrics collector registration attempted", true},
		"end of its goroutine": {func(*chassis.App) { runtime.Goexit() }, "runtime.Goexit", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := false
			svc, err := chassistest.TryStart(t, setsUp(func(app *chassis.App) {
				app.OnStop("database", func(context.Context) error { closed = true; return nil })
				test.setup(app)
			}), chassistest.Options{})
			if err == nil {
				t.Fatal("the service started")
			}
			expectAll(t, err.Error(), "chassis: setting up the service: ", test.want)
			expectSteps(t, svc.Events(), startOrder[:4], stopOrder)
			if lines := svc.Logs("a step of the start panicked"); test.logged && (len(lines) != 1 || lines[0]["stack"] == "") || !test.logged && len(lines) > 0 {
				t.Errorf("got the lines %v, want one with a stack: %t", lines, test.logged)
			}
			if !closed {
				t.Error("the stop function was not called")
			}
		})
	}
}

// A panic of a stop function, of a worker or of OnEvent ends in the error and the log, with every
// step of the stop.
func TestPanicsAtTheEnd(t *testing.T) {
	t.Parallel()
	service := setsUp(func(app *chassis.App) {
		app.OnStop("flush", func(context.Context) error { panic("no flush") })
		app.GoRequired("feed", func(ctx context.Context) error { <-ctx.Done(); panic("no end") })
	})
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.ReadinessOff {
			panic("no event")
		}
	}
	svc := start(t, service, nil)
	svc.RequestStop()
	err := svc.Wait()
	if err == nil {
		t.Fatal("no error")
	}
	expectAll(t, err.Error(), "stop function flush: panic: no flush", "worker feed: panic: no end")
	if lines := svc.Logs("lifecycle"); len(lines) != len(startOrder)+len(stopOrder) {
		t.Errorf("got the lines %v, want one of each step", lines)
	}
	if panics := svc.Logs("worker panicked"); len(panics) != 2 || len(svc.Logs("OnEvent panicked")) != 1 {
		t.Errorf("got the lines %v, want one of each panic", panics)
	}
}
