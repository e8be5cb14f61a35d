package chassis

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/redact"
)

// Step names a step of a service's life.
type Step string

// The steps of a start, in their order. If a step fails, the stop follows.
const (
	Configured       Step = "configured"        // settings read and checked
	TelemetryStarted Step = "telemetry_started" // logs, traces and metrics flow
	IdentityReady    Step = "identity_ready"    // certificate and trust were obtained
	AdminListening   Step = "admin_listening"   // probes answer: live, not ready
	SetUp            Step = "set_up"            // the service's Setup has returned
	PortsBound       Step = "ports_bound"       // gRPC and REST are open
	WorkersStarted   Step = "workers_started"   // supervised workers run
	HealthChecked    Step = "health_checked"    // every check has had its first result
	Ready            Step = "ready"             // readiness probes succeed
)

// The steps of a stop, in their order. CallsCut occurs only if calls outlived the deadline.
const (
	StopRequested    Step = "stop_requested"    // by a signal, the context or a failed worker
	ReadinessOff     Step = "readiness_off"     // probes and health watchers see it
	DrainDelayOver   Step = "drain_delay_over"  // load balancers had their time; calls were served during it
	StreamsTold      Step = "streams_told"      // Draining was closed
	CallsFinished    Step = "calls_finished"    // listeners closed, nothing in flight
	CallsCut         Step = "calls_cut"         // the deadline came first
	WorkersStopped   Step = "workers_stopped"   // and OnStop functions have run, or their time was up
	TelemetryFlushed Step = "telemetry_flushed" // traces and metrics were exported, or their time was up
	AdminClosed      Step = "admin_closed"      // the last port
	Stopped          Step = "stopped"
)

// Event is one completed step. Logs, the phase metric, the debug page and tests receive the same
// events.
type Event struct {
	Step   Step
	Time   time.Time     // when the step was done
	Took   time.Duration // since the step before
	Detail string        // for people
	Err    error         // the failure of the step, nil for none
}

// phase returns the phase that a step begins, empty for none.
func (s Step) phase() string {
	switch s {
	case Ready:
		return "serving"
	case StopRequested:
		return "draining"
	case CallsFinished, CallsCut:
		return "stopping"
	default:
		return ""
	}
}

// phases are the phases of a service in their order. A service is in exactly one of them.
var phases = [...]string{"starting", "serving", "draining", "stopping"}

// lifecycle records the phase of a service and every step taken so far. Its methods may be called
// concurrently.
type lifecycle struct {
	onEvent func(Event)          // Service.OnEvent; nil for none
	steps   *prometheus.GaugeVec // how long each step took

	mu       sync.Mutex
	log      *slog.Logger // nil before telemetry has started
	settle   func()       // waits until the log's lines are written
	phase    string
	lastStep time.Time
	events   []Event
}

// newLifecycle begins a life. A nil onEvent is not called.
func newLifecycle(began time.Time, onEvent func(Event)) *lifecycle {
	return &lifecycle{
		onEvent: onEvent, steps: catalog.LifecycleStepDuration.GaugeVec(), phase: phases[0], lastStep: began,
	}
}

// emit records a step. Log, metric, page and OnEvent all get it here, so none of them can miss
// one.
func (l *lifecycle) emit(step Step, detail string, err error) {
	now := time.Now()
	l.mu.Lock()
	e := Event{Step: step, Time: now, Took: now.Sub(l.lastStep), Detail: detail, Err: err}
	l.lastStep = now
	l.events = append(l.events, e)
	if phase := step.phase(); phase != "" {
		l.phase = phase
	}
	log, settle := l.log, l.settle
	l.mu.Unlock()
	l.steps.WithLabelValues(string(e.Step)).Set(e.Took.Seconds())
	if log != nil {
		logEvent(log, e)
		settle() // a crash in the next step must not take this line with it
	}
	l.notify(log, e)
}

// notify calls OnEvent and waits for it, in a goroutine of its own: neither a panic in it nor the
// end of its goroutine, as by the FailNow of a test, may prevent the stop.
func (l *lifecycle) notify(log *slog.Logger, e Event) {
	if l.onEvent == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil && log != nil {
				log.Error("OnEvent panicked", "step", string(e.Step), "error", p, "stack", string(debug.Stack()))
			}
		}()
		l.onEvent(e)
	}()
	<-done
}

// useLog logs all steps from now on, and those already taken. Settle waits until the lines are
// written.
func (l *lifecycle) useLog(log *slog.Logger, settle func()) {
	l.mu.Lock()
	l.log, l.settle = log, settle
	l.mu.Unlock()
	for _, e := range l.soFar() {
		logEvent(log, e)
		settle()
	}
}

func logEvent(log *slog.Logger, e Event) {
	attrs := []slog.Attr{slog.String("step", string(e.Step)), slog.Float64("took_seconds", e.Took.Seconds())}
	if e.Detail != "" {
		attrs = append(attrs, slog.String("detail", redact.Values(e.Detail)))
	}
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", redact.Values(e.Err.Error())))
	}
	log.LogAttrs(context.Background(), level, "lifecycle", attrs...)
}

// soFar returns the steps taken so far.
func (l *lifecycle) soFar() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// phaseNow returns the current phase.
func (l *lifecycle) phaseNow() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}
