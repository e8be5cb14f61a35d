package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Flush waits until all logs and traces so far are delivered. It fails only if ctx ends. Items
// that a collector rejects are logged and counted.
func (t *Telemetry) Flush(ctx context.Context) error {
	background := context.WithoutCancel(ctx)
	steps := []func() error{
		func() error {
			return await(ctx, "spans", func() error { return t.traces.provider.ForceFlush(background) })
		},
		func() error { return await(ctx, "logs", func() error { return t.logs.flush(background) }) },
	}
	for _, q := range t.logs.queues {
		steps = append(steps, func() error { return q.flush(ctx) })
	}
	err := inParallel(steps...)
	return errors.Join(err, t.logs.stdout.flush(ctx))
}

// Shutdown delivers the remaining data and stops. Spans, exported logs and sinks are delivered
// concurrently, in at most half of the time until ctx's deadline. Standard output follows, so
// that a silent collector costs no log line. Undelivered data is dropped and counted. Shutdown
// returns when ctx ends at the latest, with an error that names what was cut. A second call only
// waits for standard output again.
//
// A write to standard output that hangs cannot be interrupted: its goroutine is left behind.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	background := context.WithoutCancel(ctx)
	exporting, cancel := halfOf(ctx)
	defer cancel()

	steps := []func() error{
		func() error {
			return t.traces.delivery.stop(ctx, exporting, "spans", func() error { return t.traces.provider.Shutdown(background) })
		},
		func() error {
			return t.logs.delivery.stop(ctx, exporting, "logs", func() error { return t.logs.stop(background) })
		},
	}
	for _, q := range t.logs.queues {
		steps = append(steps, func() error { return q.close(exporting) })
	}
	err := inParallel(steps...)
	if err != nil {
		t.logs.diagnostics.Warn("telemetry was not shut down as it should be", "error", err.Error())
	}
	t.traces.delivery.conclude()
	t.logs.delivery.conclude()
	return errors.Join(err, t.logs.stdout.close(ctx))
}

// stop runs shut, which may never return, and abandons the exports when exporting ends. Shut then
// returns too, unless an exporter ignores cancellation. In that case stop returns when ctx ends.
func (d *delivery) stop(ctx, exporting context.Context, what string, shut func() error) error {
	release := context.AfterFunc(exporting, d.abandon)
	defer release()
	err := await(ctx, what, shut)
	if err == nil && exporting.Err() != nil {
		err = fmt.Errorf("telemetry: %s were not all exported in time", what)
	}
	return err
}

// halfOf returns a context that ends when half of the time to ctx's deadline has passed.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// await runs f, and stops waiting for it when ctx ends.
func await(ctx context.Context, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("telemetry: %s were not all handed over: %w", what, context.Cause(ctx))
	}
}

func inParallel(steps ...func() error) error {
	errs := make([]error, len(steps))
	var all sync.WaitGroup
	for i, step := range steps {
		all.Go(func() { errs[i] = step() })
	}
	all.Wait()
	return errors.Join(errs...)
}
