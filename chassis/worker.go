package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/redact"
)

// Pauses before a restart double between these bounds, and vary by a fifth in both directions.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	calmAfter    = time.Minute
)

// supervisor runs the workers of one service and its OnStop functions, and stops both in reverse
// order.
type supervisor struct {
	log      *slog.Logger
	restarts *prometheus.CounterVec
	panics   *prometheus.CounterVec
	failed   chan error // the first failure of a worker that stops the service

	mu      sync.Mutex
	started bool
	tasks   []*task
}

// task is a worker or a stop function.
type task struct {
	name     string
	run      func(context.Context) error // nil for a stop function
	required bool                        // its failure stops the service
	onStop   func(context.Context) error // nil for a worker
	cancel   context.CancelFunc
	done     chan struct{} // closed when the worker has ended
	atStop   error         // its failure when its context had ended, to be read when done is closed

	mu       sync.Mutex
	state    string
	restarts int
	lastErr  string
	begun    time.Time // when it was last started; zero before
	success  time.Time // when it was last known to be well, at first when it was started
	well     bool      // it has ended without an error
}

// States of a worker.
const (
	workerRunning    = "running"
	workerStopped    = "stopped"
	workerFailed     = "failed"
	workerRestarting = "restarting"
)

func newSupervisor(log *slog.Logger, restarts, panics *prometheus.CounterVec) *supervisor {
	return &supervisor{log: log, restarts: restarts, panics: panics, failed: make(chan error, 1)}
}

// add adds a task for start and stop.
func (s *supervisor) add(t *task) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.name == "":
		return errors.New("the name is empty: name the worker or stop function, for logs and metrics")
	case !utf8.ValidString(t.name):
		return fmt.Errorf("the name %q is not valid UTF-8, as a label of metrics must be: choose another name", t.name)
	case t.run == nil && t.onStop == nil:
		return fmt.Errorf("the function of %q is nil: pass the function to run", t.name)
	case slices.ContainsFunc(s.tasks, func(other *task) bool { return other.name == t.name }):
		return fmt.Errorf("two workers or stop functions have the name %q: rename one", t.name)
	}
	if t.run != nil {
		s.restarts.WithLabelValues(t.name)
	}
	s.tasks = append(s.tasks, t)
	return nil
}

// start starts the workers and returns how many there are.
func (s *supervisor) start() (workers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	for _, t := range s.tasks {
		if t.run != nil {
			workers++
			s.launch(t)
		}
	}
	return workers
}

func (s *supervisor) launch(t *task) {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel, t.done = cancel, make(chan struct{})
	t.set(workerRunning, nil)
	go func() {
		defer close(t.done)
		s.supervise(ctx, t)
	}()
}

// supervise runs a worker until it returns nil, its context ends, or its failure stops the service.
func (s *supervisor) supervise(ctx context.Context, t *task) {
	pause := firstPause
	for {
		begun := time.Now()
		err := s.once(ctx, t.name, t.run)
		switch {
		case err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled):
			t.set(workerStopped, nil)
			return
		case ctx.Err() != nil:
			t.set(workerStopped, err)
			t.atStop = err
			s.log.Error("worker failed during the stop", "worker", t.name, "error", redact.Values(err.Error()))
			return
		case t.required:
			t.set(workerFailed, err)
			s.log.Error("worker failed: stopping the service", "worker", t.name, "error", redact.Values(err.Error()))
			select {
			case s.failed <- fmt.Errorf("chassis: worker %s: %w", t.name, err):
			default: // another was first
			}
			return
		}
		if time.Since(begun) > calmAfter {
			pause = firstPause
		}
		wait := time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
		t.set(workerRestarting, err)
		s.log.Error("worker failed: starting it again", "worker", t.name, "error", redact.Values(err.Error()), "pause_seconds", wait.Seconds())
		if sleep(ctx, wait); ctx.Err() != nil {
			t.set(workerStopped, err)
			return
		}
		s.restarts.WithLabelValues(t.name).Inc()
		t.restarted()
		pause = min(2*pause, longestPause)
	}
}

// errGoexit is the failure of a function that ended its goroutine instead of returning.
var errGoexit = errors.New("it ended its goroutine (runtime.Goexit) instead of returning")

// once runs a worker or stop function, and returns an error for a panic and for an end without a
// return. The function has its own goroutine, which it may end.
func (s *supervisor) once(ctx context.Context, name string, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := error(misstep{errGoexit})
		defer func() {
			if p := recover(); p != nil {
				s.panics.WithLabelValues("worker").Inc()
				s.log.Error("worker panicked", "worker", name, "error", redact.Values(fmt.Sprint(p)), "stack", string(debug.Stack()))
				err = misstep{fmt.Errorf("panic: %v", p)}
			}
			done <- err
		}()
		err = run(ctx)
	}()
	return <-done
}

func (t *task) set(state string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch {
	case state == workerRunning:
		t.begun, t.success = now, now
	case err == nil, t.state == workerRunning && now.Sub(t.begun) >= calmAfter:
		t.success = now
	}
	t.state, t.well = state, err == nil
	if err != nil {
		t.lastErr = redact.Values(err.Error())
	}
}

func (t *task) restarted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restarts++
	t.state, t.begun = workerRunning, time.Now()
}
