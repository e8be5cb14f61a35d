package health_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func newMonitor(t *testing.T, cfg health.Config) *health.Monitor {
	t.Helper()
	m, err := health.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func add(t *testing.T, m *health.Monitor, checks ...health.Check) {
	t.Helper()
	for _, c := range checks {
		if err := m.Add(c); err != nil {
			t.Fatal(err)
		}
	}
}

// started runs the checks, serving, up to their first results, and stops them at the end of the
// test.
func started(t *testing.T, m *health.Monitor) {
	t.Helper()
	m.Start(t.Context())
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := m.WaitFirst(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.SetServing(true)
}

func pass(context.Context) error { return nil }
func fail(context.Context) error { return errors.New("no route to db-7") }

// toggle is a probe whose answer a test sets.
type toggle struct {
	bad  atomic.Bool
	runs atomic.Int64
}

func (p *toggle) probe(ctx context.Context) error {
	p.runs.Add(1)
	if p.bad.Load() {
		return fail(ctx)
	}
	return nil
}

func TestAddRefuses(t *testing.T) {
	tests := []struct {
		name  string
		check health.Check
		want  string
	}{
		{"an empty name", health.Check{Probe: pass}, "the name must be"},
		{"a name with a blank", health.Check{Name: "my db", Probe: pass}, "the name must be"},
		{"a name with a line break", health.Check{Name: "db\n", Probe: pass}, "the name must be"},
		{"a name that begins with a dash", health.Check{Name: "-db", Probe: pass}, "the name must be"},
		{"a name of 64 letters", health.Check{Name: strings.Repeat("a", 64), Probe: pass}, "the name must be"},
		{"no probe", health.Check{Name: "db"}, "Probe is nil"},
		{"a negative interval", health.Check{Name: "db", Probe: pass, Interval: -1}, "must not be negative"},
		{"a negative timeout", health.Check{Name: "db", Probe: pass, Timeout: -1}, "must not be negative"},
		{"a negative threshold", health.Check{Name: "db", Probe: pass, FailAfter: -1}, "must not be negative"},
		{"a name that is taken", health.Check{Name: "taken", Probe: pass}, "two checks named"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMonitor(t, health.Config{})
			add(t, m, health.Check{Name: "taken", Probe: pass}, health.Check{Name: "Db-1.replica_2", Probe: pass})
			if err := m.Add(tt.check); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestAddIsTooLateAfterStart(t *testing.T) {
	m := newMonitor(t, health.Config{})
	started(t, m)
	if err := m.Add(health.Check{Name: "db", Probe: pass}); err == nil || !strings.Contains(err.Error(), "during set-up") {
		t.Errorf("got error %v, want one that says when to add", err)
	}
}

func TestReadinessNeedsTheSwitchAndEveryHardCheck(t *testing.T) {
	tests := []struct {
		name    string
		serving bool
		checks  []health.Check
		want    bool
	}{
		{"no checks, switched on", true, nil, true},
		{"no checks, switched off", false, nil, false},
		{"passing, switched off", false, []health.Check{{Name: "a", Probe: pass}}, false},
		{"passing, switched on", true, []health.Check{{Name: "a", Probe: pass}, {Name: "b", Probe: pass}}, true},
		{"one hard one fails", true, []health.Check{{Name: "a", Probe: pass}, {Name: "b", Probe: fail}}, false},
		{"a soft one fails", true, []health.Check{{Name: "a", Probe: pass}, {Name: "b", Probe: fail, Soft: true}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMonitor(t, health.Config{})
			add(t, m, tt.checks...)
			started(t, m)
			m.SetServing(tt.serving)
			if got := m.Ready(); got != tt.want {
				t.Errorf("Ready() = %v, want %v; status %+v", got, tt.want, m.Status())
			}
		})
	}
}

func TestNothingIsReadyBeforeTheFirstResult(t *testing.T) {
	m := newMonitor(t, health.Config{})
	m.SetServing(true)
	add(t, m, health.Check{Name: "db", Probe: pass})
	if m.Ready() {
		t.Error("ready while a hard check is pending")
	}
}

func TestHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newMonitor(t, health.Config{}), new(toggle)
		add(t, m, health.Check{Name: "db", Probe: p.probe, Interval: time.Second, FailAfter: 3, PassAfter: 2})
		started(t, m)
		steps := []struct {
			bad  bool
			want health.State
		}{
			{true, health.Passing}, {true, health.Passing},
			{false, health.Passing}, // a pass begins the count anew
			{true, health.Passing}, {true, health.Passing}, {true, health.Failing},
			{false, health.Failing}, {true, health.Failing},
			{false, health.Failing}, {false, health.Passing},
		}
		for i, step := range steps {
			p.bad.Store(step.bad)
			for before := p.runs.Load(); p.runs.Load() == before; {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			if got := m.Status().Checks[0].State; got != step.want || m.Ready() != (got == health.Passing) {
				t.Errorf("step %d: state %s, ready %v; want state %s", i, got, m.Ready(), step.want)
			}
		}
	})
}

func TestTheFirstResultDecidesAtOnce(t *testing.T) {
	m := newMonitor(t, health.Config{})
	add(t, m, health.Check{Name: "db", Probe: fail, FailAfter: 100})
	started(t, m)
	got := m.Status().Checks[0]
	if got.State != health.Failing || got.Failures != 1 || got.LastError != "no route to db-7" || got.LastRun.IsZero() {
		t.Errorf("got %+v, want one failure that made it failing", got)
	}
}

func TestIntervalIsKeptWithinATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(t, health.Config{})
		var mu sync.Mutex
		var runs []time.Time
		add(t, m, health.Check{Name: "db", Probe: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			runs = append(runs, time.Now())
			return nil
		}})
		started(t, m)
		time.Sleep(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		varied := false
		for i := 1; i < len(runs); i++ {
			pause := runs[i].Sub(runs[i-1])
			if pause < 9*time.Second || pause > 11*time.Second {
				t.Errorf("pause of %v, want 9 to 11 s", pause)
			}
			varied = varied || pause != 10*time.Second
		}
		if len(runs) < 50 || !varied {
			t.Errorf("%d runs in 10 minutes, varied %v; want about 60, not in step", len(runs), varied)
		}
	})
}

func TestAProbeThatHeedsItsTimeoutSaysWhyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(t, health.Config{})
		add(t, m, health.Check{Name: "db", Timeout: time.Second, Probe: func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("dial db-7: %w", ctx.Err())
		}})
		started(t, m)
		got := m.Status().Checks[0]
		if got.LastError != "dial db-7: context deadline exceeded" || got.LastDuration != time.Second {
			t.Errorf("got %q after %v, want the probe's own error after 1s", got.LastError, got.LastDuration)
		}
	})
}

func TestAProbeThatHangsHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, other := newMonitor(t, health.Config{}), new(toggle)
		release := make(chan struct{})
		var calls atomic.Int64
		add(t, m, health.Check{Name: "stuck", Interval: time.Second, Probe: func(context.Context) error {
			if calls.Add(1) == 1 {
				<-release
			}
			return nil
		}}, health.Check{Name: "other", Interval: time.Second, Probe: other.probe})
		started(t, m)

		time.Sleep(time.Minute)
		synctest.Wait()
		got := m.Status().Checks[0]
		if calls.Load() != 1 || got.State != health.Failing || got.Failures < 30 || got.LastDuration < 30*time.Second {
			t.Errorf("called %d times, status %+v; want one call that counts as failing all the while", calls.Load(), got)
		}
		if other.runs.Load() < 50 {
			t.Errorf("the other check ran %d times in a minute, want about 60", other.runs.Load())
		}

		close(release)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := m.Status().Checks[0]; calls.Load() < 2 || got.State != health.Passing {
			t.Errorf("after it returned: called %d times, status %+v; want it run again and passing", calls.Load(), got)
		}
	})
}

func TestStopLeavesAHungProbeAndNamesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, release := newMonitor(t, health.Config{}), make(chan struct{})
		defer close(release)
		add(t, m, health.Check{Name: "stuck", Probe: func(context.Context) error { <-release; return nil }},
			health.Check{Name: "fine", Probe: pass})
		m.Start(t.Context())
		began := time.Now()
		err := m.Stop()
		if err == nil || !strings.Contains(err.Error(), `"stuck"`) || strings.Contains(err.Error(), "fine") {
			t.Errorf("Stop() = %v, want an error that names the stuck check alone", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Stop took %v, want a second at most", took)
		}
		if err := m.Stop(); err != nil {
			t.Errorf("a second Stop() = %v, want nil", err)
		}
	})
}

func TestStopWaitsForProbesThatHeedTheirContext(t *testing.T) {
	leakcheck.Check(t)
	m := newMonitor(t, health.Config{})
	running, returned := make(chan struct{}), atomic.Bool{}
	add(t, m, health.Check{Name: "db", Timeout: time.Hour, Probe: func(ctx context.Context) error {
		close(running)
		<-ctx.Done()
		returned.Store(true)
		return ctx.Err()
	}})
	m.Start(t.Context())
	<-running
	if err := m.Stop(); err != nil || !returned.Load() {
		t.Errorf("Stop() = %v, probe returned %v; want it waited for", err, returned.Load())
	}
	if got := m.Status().Checks[0].State; got != health.Pending {
		t.Errorf("state %s, want the cut probe not counted", got)
	}
}

type angryError struct{}

func (angryError) Error() string { panic("no words") }

func TestAProbeThatPanicsFailsItsCheckAndIsCounted(t *testing.T) {
	tests := []struct {
		name   string
		probe  func(context.Context) error
		reason string
		panics float64
	}{
		{"panic", func(context.Context) error { panic("nil map") }, "the probe panicked: nil map", 1},
		{"an error that panics when read", func(context.Context) error { return angryError{} }, "the probe panicked: no words", 1},
		{"Goexit", goexit, "runtime.Goexit", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			panics := catalog.Panics.CounterVec() // registered by another part of the chassis first
			reg.MustRegister(panics)
			m := newMonitor(t, health.Config{Registerer: reg})
			add(t, m, health.Check{Name: "bad", Probe: tt.probe}, health.Check{Name: "good", Probe: pass})
			started(t, m)
			s := m.Status()
			if s.Checks[0].State != health.Failing || !strings.Contains(s.Checks[0].LastError, tt.reason) {
				t.Errorf("got %+v, want it failing because of %q", s.Checks[0], tt.reason)
			}
			if s.Checks[1].State != health.Passing {
				t.Errorf("the other check is %s", s.Checks[1].State)
			}
			if got := testutil.ToFloat64(panics.WithLabelValues("health")); got != tt.panics {
				t.Errorf("%v panics counted, want %v", got, tt.panics)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMonitor(t, health.Config{Registerer: reg})
	add(t, m, health.Check{Name: "cache", Probe: fail, Soft: true}, health.Check{Name: "db", Probe: pass})
	started(t, m)
	want := `
		# HELP chassis_health_check_up 1 if the health check passes, 0 if it fails. A passing check fails after FailAfter failures in a row, a failing one passes after PassAfter successes.
		# TYPE chassis_health_check_up gauge
		chassis_health_check_up{check="cache"} 0
		chassis_health_check_up{check="db"} 1
	`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), catalog.HealthCheckUp.Name); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, catalog.HealthCheckDuration.Name); n != 2 || err != nil {
		t.Errorf("%d durations, error %v; want 2", n, err)
	}
}

func TestNewRefusesARegistryWithOtherMetricsOfTheSameName(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: catalog.HealthCheckUp.Name, Help: "mine"}))
	if _, err := health.New(health.Config{Registerer: reg}); err == nil {
		t.Error("New succeeded, want an error")
	}
}

func TestWaitFirstNamesWhatIsMissing(t *testing.T) {
	m := newMonitor(t, health.Config{})
	add(t, m, health.Check{Name: "db", Probe: pass})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.WaitFirst(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "db") {
		t.Errorf("got %v, want the context's error with the name", err)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := m.WaitFirst(t.Context()); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("after Stop: got %v, want an error that says so", err)
	}
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

func TestEachFlipIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, p := new(lines), new(toggle)
		m := newMonitor(t, health.Config{Logger: slog.New(slog.NewTextHandler(out, nil))})
		add(t, m, health.Check{Name: "db", Probe: p.probe, Interval: time.Second})
		started(t, m)
		p.bad.Store(true)
		time.Sleep(time.Minute)
		p.bad.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		m.SetServing(false)
		for line, want := range map[string]int{
			`msg="health check fails" check=db soft=false failures=3 reason="no route to db-7"`: 1,
			`msg="health check passes again" check=db`:                                          1,
			`level=INFO msg=ready`: 2,
			`level=WARN msg="not ready" reason="failing checks: db"`: 1,
			`level=INFO msg="not ready" reason="switched off"`:       1,
			"\n": 6,
		} {
			if got := out.count(line); got != want {
				t.Errorf("%q logged %d times, want %d", line, got, want)
			}
		}
	})
}
