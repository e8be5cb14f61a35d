package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stopGrace is the time that Stop waits for probes whose context has ended.
const stopGrace = time.Second

// Config configures a Monitor. The zero value is usable: it logs nothing and registers no
// metrics.
type Config struct {
	Logger     *slog.Logger          // gets each change of a check's state and of readiness
	Registerer prometheus.Registerer // registers chassis_health_check_* and chassis_panics_total
}

// Monitor runs checks and reports their results. Make one with New. Its methods may be called
// concurrently.
type Monitor struct {
	readiness *readiness
	started   atomic.Bool
	loops     sync.WaitGroup
	stopped   chan struct{} // closed by Stop
	unwatch   chan struct{} // closed by EndWatches

	mu       sync.Mutex // guards what follows
	watching bool
	runners  []*runner
	cancel   context.CancelFunc // nil before Start
	stopping bool
}

// New returns a Monitor that is not ready and runs no checks yet. It fails if the Registerer has
// other metrics under the same names.
func New(cfg Config) (*Monitor, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	return &Monitor{
		readiness: newReadiness(cfg.Logger, m), stopped: make(chan struct{}), unwatch: make(chan struct{}), watching: true,
	}, nil
}

// Add registers a check, to be run from Start on. It fails if the check is invalid, if its name
// is used already, or after Start: a later check would make a ready service unready until its
// first result.
func (m *Monitor) Add(c Check) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("health: check %q: %w", c.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil || m.stopping {
		return fmt.Errorf("health: check %q was added after the checks were started: add it during set-up", c.Name)
	}
	c = c.withDefaults()
	if !m.readiness.add(c) {
		return fmt.Errorf("health: there are two checks named %q: give each a name of its own", c.Name)
	}
	m.runners = append(m.runners, &runner{check: c, first: make(chan struct{}), report: func(r result) { m.readiness.take(c, r) }})
	return nil
}

// Start runs every check at once, and then at its interval until ctx ends or Stop is called.
// Further calls, and calls after Stop, do nothing.
func (m *Monitor) Start(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil || m.stopping {
		return
	}
	ctx, m.cancel = context.WithCancel(ctx)
	for _, r := range m.runners {
		m.loops.Go(func() { r.loop(ctx) })
	}
}

// WaitFirst returns nil when every check has had its first result, good or bad. This takes at
// most the longest Timeout and a tenth of a second after Start. If ctx ends or Stop is called
// earlier, it returns an error with the checks that have no result.
func (m *Monitor) WaitFirst(ctx context.Context) error {
	m.mu.Lock()
	runners := m.runners
	m.mu.Unlock()
	for _, r := range runners {
		select {
		case <-r.first:
		case <-m.stopped:
			return fmt.Errorf("health: stopped before the first results of %s", m.pendingNames())
		case <-ctx.Done():
			return fmt.Errorf("health: waiting for the first results of %s: %w", m.pendingNames(), context.Cause(ctx))
		}
	}
	return nil
}

// SetServing turns the switch on or off. It is off at first. Watchers are notified before it
// returns.
func (m *Monitor) SetServing(on bool) { m.readiness.serve(on) }

// MarkStarted completes the start: Startupz answers 200 from now on.
func (m *Monitor) MarkStarted() { m.started.Store(true) }

// Ready reports whether the switch is on and every hard check passes. It costs one atomic load.
func (m *Monitor) Ready() bool { return m.readiness.ready.Load() }

// Status returns the current state. Checks are in the order in which they were added.
func (m *Monitor) Status() Status {
	s := m.readiness.status()
	s.Started = m.started.Load()
	return s
}

// Stop ends the checks and the watches, and waits at most a second for running probes. Its error
// names probes that have not returned, whose goroutines are left behind. The states do not change
// any more. Further calls do nothing.
func (m *Monitor) Stop() error {
	m.EndWatches()
	m.mu.Lock()
	again := m.stopping
	m.stopping = true
	if m.cancel != nil {
		m.cancel()
	}
	m.mu.Unlock()
	if again {
		return nil
	}
	close(m.stopped)
	m.loops.Wait()
	return m.waitForProbes()
}

func (m *Monitor) waitForProbes() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	var errs []error
	for _, r := range m.runners {
		if r.pending != nil && !returned(ctx, r.pending) {
			errs = append(errs, fmt.Errorf("health: the probe of check %q was called %v ago and does not return: it must heed its context",
				r.check.Name, time.Since(r.started).Round(time.Millisecond)))
		}
	}
	return errors.Join(errs...)
}

// returned reports whether a probe has returned, or returns before ctx ends.
func returned(ctx context.Context, pending <-chan result) bool {
	select {
	case <-pending:
		return true
	case <-ctx.Done():
	}
	select {
	case <-pending: // both were ready
		return true
	default:
		return false
	}
}

func (m *Monitor) pendingNames() string {
	var names []string
	for _, c := range m.Status().Checks {
		if c.State == Pending {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}
