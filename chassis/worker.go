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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/redact"
)

// OnFailure says what happens when a worker fails.
type OnFailure int

// What happens when a worker fails: it returns an error, panics or ends its goroutine. It is reported in any case.
const (
	// Restart runs it again after a pause that grows from 100 ms to 30 s, and is short again once it ran for a minute.
	Restart OnFailure = iota
	// StopService stops the service in good order; Run then returns the failure.
	StopService
)

// The pauses before a restart double between these bounds, and vary by a fifth either way.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	calmAfter    = time.Minute
)

// supervisor runs the workers of one service and its OnStop functions, and stops both in reverse order.
type supervisor struct {
	log      *slog.Logger
	restarts *prometheus.CounterVec
	panics   *prometheus.CounterVec
	failed   chan error // the first failure of a worker that stops the service

	mu      sync.Mutex
	started bool
	stopped bool
	tasks   []*task
}

// task is a worker, or a function to be run at the stop.
type task struct {
	name      string
	run       func(context.Context) error // nil for a stop function
	onFailure OnFailure
	onStop    func(context.Context) error // nil for a worker
	cancel    context.CancelFunc
	done      chan struct{} // closed when the worker has ended
	atStop    error         // its failure when its context had ended, to be read when done is closed

	mu       sync.Mutex
	state    string
	restarts int
	lastErr  string
}

func newSupervisor(log *slog.Logger, restarts, panics *prometheus.CounterVec) *supervisor {
	return &supervisor{log: log, restarts: restarts, panics: panics, failed: make(chan error, 1)}
}

// add takes a task in. A worker added after the start starts at once, one added after the stop never.
func (s *supervisor) add(t *task) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.name == "" || t.run == nil && t.onStop == nil:
		return fmt.Errorf("chassis: worker or stop function %q needs a name and a function", t.name)
	case slices.ContainsFunc(s.tasks, func(other *task) bool { return other.name == t.name }):
		return fmt.Errorf("chassis: there are two workers or stop functions named %q: give each a name of its own", t.name)
	case s.stopped:
		s.log.Warn("worker added while the service stops: it is not started", "worker", t.name)
		return nil
	}
	s.tasks = append(s.tasks, t)
	if s.started && t.run != nil {
		s.launch(t)
	}
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
	t.set("running", nil)
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
			t.set("stopped", nil)
			return
		case ctx.Err() != nil:
			t.set("stopped", err)
			t.atStop = err
			s.log.Error("worker failed at the stop", "worker", t.name, "error", redact.Values(err.Error()))
			return
		case t.onFailure == StopService:
			t.set("failed", err)
			s.log.Error("worker failed: the service stops", "worker", t.name, "error", redact.Values(err.Error()))
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
		t.set("restarting", err)
		s.log.Error("worker failed: it is started again", "worker", t.name, "error", redact.Values(err.Error()), "pause_seconds", wait.Seconds())
		if sleep(ctx, wait); ctx.Err() != nil {
			t.set("stopped", err)
			return
		}
		s.restarts.WithLabelValues(t.name).Inc()
		t.restarted()
		pause = min(2*pause, longestPause)
	}
}

// errGoexit is the failure of a function of the service that did not come back.
var errGoexit = errors.New("it ended its goroutine (runtime.Goexit) instead of returning")

// once runs a worker or stop function, and makes an error of a panic and of an end without a return. The function has a
// goroutine of its own, which it may end.
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
	t.state = state
	if err != nil {
		t.lastErr = redact.Values(err.Error())
	}
}

func (t *task) restarted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restarts++
	t.state = "running"
}
