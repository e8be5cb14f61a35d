package chassis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// leastShare is the time of each worker and stop function at the stop, even if others before it
// hang. If less is left for all of them, they share it equally.
const leastShare = time.Second

// ending is a worker whose context has ended, or a stop function that was called.
type ending struct {
	*task
	done <-chan struct{}
	err  error // of a stop function, to be read when done is closed
}

// stop ends the workers and runs the stop functions, the newest first. Each may use all the time
// that is left until ctx ends, less the least shares of the tasks after it. A task that takes
// longer is left behind. The error names it unless it has ended when ctx does.
func (s *supervisor) stop(ctx context.Context) error {
	if s == nil {
		return nil
	}
	tasks := s.close()
	endings := make([]*ending, len(tasks))
	for n, t := range tasks {
		endings[n] = s.end(ctx, t, len(tasks)-n)
	}
	var errs []error
	for _, e := range endings {
		errs = append(errs, e.outcome(ctx))
	}
	return errors.Join(errs...)
}

// close returns the tasks to end, the newest first.
func (s *supervisor) close() []*task {
	s.mu.Lock()
	defer s.mu.Unlock()
	tasks := slices.Clone(s.tasks)
	if !s.started {
		tasks = slices.DeleteFunc(tasks, func(t *task) bool { return t.run != nil })
	}
	slices.Reverse(tasks)
	return tasks
}

// end ends the first of several tasks, and waits for it during its share. The context of a stop
// function ends earlier, so that a function that obeys it ends in time.
func (s *supervisor) end(ctx context.Context, t *task, tasks int) *ending {
	share := ctx
	if at, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		share, cancel = context.WithTimeout(ctx, shareOf(time.Until(at), tasks))
		defer cancel()
	}
	e := s.begin(share, t)
	select {
	case <-e.done:
	case <-share.Done():
	}
	return e
}

// shareOf returns the part of the remaining time for the first of several tasks.
func shareOf(left time.Duration, tasks int) time.Duration {
	each := min(leastShare, left/time.Duration(tasks))
	return left - each*time.Duration(tasks-1)
}

func (s *supervisor) begin(share context.Context, t *task) *ending {
	if t.onStop == nil {
		t.cancel()
		return &ending{task: t, done: t.done}
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if at, ok := share.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, at.Add(-time.Until(at)/10))
	}
	done := make(chan struct{})
	e := &ending{task: t, done: done}
	go func() {
		defer close(done)
		defer cancel()
		e.err = s.once(ctx, t.name, t.onStop)
	}()
	return e
}

// outcome waits for the end of a task, or of ctx, and returns the error to report.
func (e *ending) outcome(ctx context.Context) error {
	select {
	case <-e.done:
	case <-ctx.Done():
		select {
		case <-e.done: // both were ready
		default:
			return e.late()
		}
	}
	if e.err != nil {
		return fmt.Errorf("chassis: stop function %s: %w", e.name, e.err)
	}
	// A worker may fail because the things that it uses have ended. A panic is a fault in any
	// case.
	if _, broken := errors.AsType[misstep](e.atStop); broken {
		return fmt.Errorf("chassis: worker %s: %w", e.name, e.atStop)
	}
	return nil
}

func (e *ending) late() error {
	if e.onStop != nil {
		return fmt.Errorf("chassis: stop function %s did not return in time; it must return when its context ends", e.name)
	}
	return fmt.Errorf("chassis: worker %s did not return in time; it must return when its context ends", e.name)
}
