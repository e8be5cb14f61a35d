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

// taken is what a step came back with.
type taken struct {
	detail string
	err    error
}

// misstep is the failure of a function of the service that hangs, panics or ends its goroutine. It counts also where a
// stop was asked for, which excuses any other.
type misstep struct{ error }

func (m misstep) Unwrap() error { return m.error }

// take takes a step in a goroutine of its own: much of it is code of the service, which may hang, panic or end its
// goroutine. It returns when the step does, or when a requested stop leaves no more time. Then the step is left behind.
func (i *instance) take(ctx context.Context, s startStep) (string, error) {
	log := i.log // nil until there is one; the step may set it
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
		return i.takeWhileStopping(ctx, log, s, done)
	}
}

// takeWhileStopping waits for a step that runs while a stop is requested, until workers and telemetry need the rest of
// the time.
func (i *instance) takeWhileStopping(ctx context.Context, log *slog.Logger, s startStep, done <-chan taken) (string, error) {
	patience := defaultShutdownTimeout - stopReserve
	if log != nil { // else the step may be the one that reads the settings
		i.requestStop(context.Cause(ctx), nil)
		patience = time.Until(i.stopEnd().Add(-stopReserve))
		log.Warn("stop requested during the start: waiting for the step to end", "doing", s.doing, "at_most_seconds", patience.Seconds())
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t := <-done:
		return t.detail, t.err
	case <-timer.C:
	}
	i.left = s.step
	err := fmt.Errorf("it did not end within %s of the request to stop: it must return when its context ends", patience.Round(time.Millisecond))
	if log != nil {
		log.Error("the start holds up the stop: it is left behind", "doing", s.doing, "error", err.Error())
	}
	return "", misstep{err}
}

// panicked logs the panic of a step and makes an error of it, with the stack if there is no log yet.
func panicked(log *slog.Logger, doing string, p any) error {
	if log == nil {
		return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
	log.Error("the start panicked", "doing", doing, "error", redact.Values(fmt.Sprint(p)), "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v (the log has its stack)", p)
}

// failedStep returns the error of a step, nil where the stop that was asked for has broken it off.
func failedStep(ctx context.Context, s startStep, err error) error {
	if _, counts := errors.AsType[misstep](err); ctx.Err() != nil && !counts {
		return nil
	}
	return fmt.Errorf("chassis: %s: %w", s.doing, err)
}
