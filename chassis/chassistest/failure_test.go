package chassistest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/connectivity"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// fakeTB is a test whose failures are what the real one looks at.
type fakeTB struct {
	testing.TB
	errs     []string
	cleanUps []func()
}

func (f *fakeTB) Helper()                  {}
func (f *fakeTB) Logf(string, ...any)      {}
func (f *fakeTB) Context() context.Context { return context.Background() }
func (f *fakeTB) Output() io.Writer        { return io.Discard }
func (f *fakeTB) Cleanup(c func())         { f.cleanUps = append(f.cleanUps, c) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errs = append(f.errs, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test to its end, clean-ups included, and returns its failures.
func (f *fakeTB) run(test func(testing.TB)) []string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, c := range slices.Backward(f.cleanUps) {
				c()
			}
		}()
		test(f)
	}()
	<-done
	return f.errs
}

func TestCleanTestPasses(t *testing.T) {
	t.Parallel()
	errs := new(fakeTB).run(func(t testing.TB) { chassistest.Start(t, service(), chassistest.Options{}) })
	if len(errs) != 0 {
		t.Errorf("got %q, want no failure", errs)
	}
}

func TestLeakedGoroutineFailsTheTest(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	s := service()
	s.Setup = func(_ context.Context, app *chassis.App) error {
		app.RegisterService(&echo.Desc, &echo.Service{})
		go leak(release)
		return nil
	}
	expectFailure(t, "chassistest_test.leak", func(t testing.TB) { chassistest.Start(t, s, chassistest.Options{}) })
}

func leak(release <-chan struct{}) { <-release }

func TestFailedRunFailsTheTest(t *testing.T) {
	t.Parallel()
	s := service()
	fail := make(chan struct{})
	s.Setup = func(_ context.Context, app *chassis.App) error {
		app.GoRequired("worker", func(context.Context) error {
			<-fail
			return errors.New("boom")
		})
		return nil
	}
	expectFailure(t, "Run returned: chassis: worker worker: boom", func(t testing.TB) {
		svc := chassistest.Start(t, s, chassistest.Options{})
		close(fail)
		svc.WaitFor(chassis.Stopped)
	})
}

func TestFailedStartFailsTheTest(t *testing.T) {
	t.Parallel()
	s := chassis.Service{Name: "broken", Setup: func(context.Context, *chassis.App) error { return errors.New("boom") }}
	expectFailure(t, "broken did not start: chassis: setting up the service: boom", func(t testing.TB) {
		chassistest.Start(t, s, chassistest.Options{})
	})
}

func TestMissedStepFailsTheTest(t *testing.T) {
	t.Parallel()
	s := chassis.Service{Name: "broken", Setup: func(context.Context, *chassis.App) error { return errors.New("boom") }}
	expectFailure(t, `ended without the step "set_up": it took configured, telemetry_started`, func(t testing.TB) {
		chassistest.Begin(t, s, chassistest.Options{}).WaitFor(chassis.SetUp)
	})
}

func TestOddLabelsFailTheTest(t *testing.T) {
	t.Parallel()
	expectFailure(t, "labels are names and values in turn", func(t testing.TB) {
		chassistest.Start(t, service(), chassistest.Options{}).Metric("chassis_ready", "phase")
	})
}

// expectFailure expects that test fails exactly once, with text in the message.
func expectFailure(t *testing.T, text string, test func(testing.TB)) {
	t.Helper()
	if errs := new(fakeTB).run(test); len(errs) != 1 || !strings.Contains(errs[0], text) {
		t.Errorf("got failures %q, want one with %q in it", errs, text)
	}
}

// Without a test, as in an Example, what would fail one panics, with the same text.
func TestFailureWithoutATestPanics(t *testing.T) {
	t.Parallel()
	broken := chassis.Service{Name: "broken", Setup: func(context.Context, *chassis.App) error { return errors.New("boom") }}
	for text, run := range map[string]func(){
		"broken did not start: chassis: setting up the service: boom": func() { chassistest.Start(nil, broken, chassistest.Options{}) },
		`ended without the step "set_up"`:                             func() { chassistest.Begin(nil, broken, chassistest.Options{}).WaitFor(chassis.SetUp) },
		"Run returned: chassis: setting up the service": func() {
			svc := chassistest.Begin(nil, broken, chassistest.Options{})
			svc.WaitFor(chassis.Stopped)
			svc.Stop()
		},
		`identity "spiffe://test/"`: func() { chassistest.NewCA(nil).Identity("") },
	} {
		func() {
			defer func() {
				if p := recover(); !strings.Contains(fmt.Sprint(p), text) {
					t.Errorf("panicked with %v, want one with %q in it", p, text)
				}
			}()
			run()
		}()
	}
	if _, err := chassistest.TryStart(nil, broken, chassistest.Options{}); err == nil {
		t.Error("a service that fails to start has no error")
	}
}

// Without a test, Stop closes the clients too.
func TestStopWithoutATestClosesClients(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(nil, service(), chassistest.Options{})
	conn := svc.Conn()
	if _, err := echo.Say(t.Context(), conn, "hello"); err != nil {
		t.Error(err)
	}
	svc.Stop()
	svc.Stop()
	if state := conn.GetState(); state != connectivity.Shutdown {
		t.Errorf("the connection is %s, want it closed", state)
	}
}

func TestCallerWithoutANameFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*chassistest.Running){
		"ConnAs": func(r *chassistest.Running) { r.ConnAs("") },
		"TLSAs":  func(r *chassistest.Running) { r.TLSAs("") },
		"HTTPAs": func(r *chassistest.Running) { r.HTTPAs("") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectFailure(t, `chassistest: identity "spiffe://test/"`, func(t testing.TB) { call(chassistest.Start(t, service(), chassistest.Options{})) })
		})
	}
}
