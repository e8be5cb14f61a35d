package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/betmakers/paddock/internal/redact"
)

// startStep is one step of the start.
type startStep struct {
	step  Step
	take  func(context.Context) (detail string, err error)
	doing string
}

// taken is the result of a step.
type taken struct {
	detail string
	err    error
}

// leftBehindError is the failure of a step that still runs when the stop must go on.
type leftBehindError struct{ error }

// run takes a step in its own goroutine, because the step may run code of the service, which may
// hang, panic or end its goroutine. It returns when the step does, or with a [leftBehindError]
// when a requested stop leaves no more time. Log is nil if there is none before the step.
// Stopping begins the stop and returns the time that the step has.
func (s startStep) run(ctx context.Context, log *slog.Logger, stopping func(context.Context) time.Duration) (string, error) {
	done := make(chan taken, 1)
	go func() {
		t := taken{err: misstep{errGoexit}}
		defer func() {
			if p := recover(); p != nil {
				t.err = misstep{panicked(log, s.doing, p)}
			}
			done <- t
		}()
		t.detail, t.err = s.take(ctx)
	}()
	select {
	case t := <-done:
		return t.detail, t.err
	case <-ctx.Done():
	}
	select {
	case t := <-done: // both were ready
		return t.detail, t.err
	default:
		return s.runWhileStopping(ctx, log, stopping, done)
	}
}

// runWhileStopping waits for a step while a stop is requested, until workers and telemetry need
// the remaining time.
func (s startStep) runWhileStopping(
	ctx context.Context, log *slog.Logger, stopping func(context.Context) time.Duration, done <-chan taken,
) (string, error) {
	patience := defaultShutdownTimeout - stopReserve
	if s.step != Configured { // else the settings are being read
		patience = stopping(ctx)
	}
	if log != nil {
		log.Warn("stop requested during the start: waiting for a step to return", "doing", s.doing, "at_most_seconds", patience.Seconds())
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t := <-done:
		return t.detail, t.err
	case <-timer.C:
	}
	err := fmt.Errorf("it did not return within %s after the stop was requested; it must return when its context ends", patience.Round(time.Millisecond))
	if log != nil {
		log.Error("a step of the start did not return: the stop goes on without it", "doing", s.doing, "error", err.Error())
	}
	return "", misstep{leftBehindError{err}}
}

// panicked logs the panic of a step and returns it as an error, with the stack if there is no log
// yet.
func panicked(log *slog.Logger, doing string, p any) error {
	if log == nil {
		return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
	log.Error("a step of the start panicked", "doing", doing, "error", redact.Values(fmt.Sprint(p)), "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v (the log has its stack)", p)
}

// failedStep returns the error of a step, nil if a requested stop has interrupted it.
func failedStep(ctx context.Context, s startStep, err error) error {
	if _, counts := errors.AsType[misstep](err); ctx.Err() != nil && !counts {
		return nil
	}
	return fmt.Errorf("chassis: %s: %w", s.doing, err)
}
