package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

var (
	startOrder = []chassis.Step{
		chassis.Configured, chassis.TelemetryStarted, chassis.IdentityReady, chassis.AdminListening, chassis.SetUp,
		chassis.PortsBound, chassis.WorkersStarted, chassis.HealthChecked, chassis.Ready,
	}
	stopOrder = []chassis.Step{
		chassis.StopRequested, chassis.ReadinessOff, chassis.DrainDelayOver, chassis.StreamsTold, chassis.CallsFinished,
		chassis.WorkersStopped, chassis.TelemetryFlushed, chassis.AdminClosed, chassis.Stopped,
	}
)

func TestOrderOfALife(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	expectSteps(t, svc.Events(), startOrder)
	svc.Stop()
	expectSteps(t, svc.Events(), startOrder, stopOrder)
	for _, e := range svc.Events() {
		if e.Err != nil || e.Took < 0 || e.Time.IsZero() {
			t.Errorf("got %+v, want a time and no error", e)
		}
	}
	if got := svc.Events()[len(startOrder)].Detail; got != "the test asks for a stop" {
		t.Errorf("got the reason %q, want the cause of the context's end", got)
	}
}

func TestStepsAreLoggedAndMeasured(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	svc.Stop()
	var logged []chassis.Step
	for _, line := range svc.Logs("lifecycle") {
		logged = append(logged, chassis.Step(line["step"].(string)))
	}
	if want := steps(svc.Events()); !slices.Equal(logged, want) {
		t.Errorf("got the lines %q, want %q", logged, want)
	}
	for _, e := range svc.Events() {
		if got := svc.Metric("chassis_lifecycle_step_duration_seconds", "step", string(e.Step)); got != e.Took.Seconds() {
			t.Errorf("%s: got %v on /metrics, want %v", e.Step, got, e.Took.Seconds())
		}
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	var svc *chassistest.Running
	var phases []string
	started := make(chan struct{})
	service := echoes(&echo.Service{})
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.Configured {
			return
		}
		<-started
		for _, phase := range []string{"starting", "serving", "draining", "stopping"} {
			if svc.Metric("chassis_phase", "phase", phase) == 1 {
				phases = append(phases, phase)
			}
		}
	}
	svc = chassistest.Begin(t, service, chassistest.Options{})
	close(started)
	svc.WaitFor(chassis.Ready)
	svc.Stop()
	if want := []string{"starting", "serving", "draining", "stopping"}; !slices.Equal(slices.Compact(phases), want) {
		t.Errorf("got %q, want %q", slices.Compact(phases), want)
	}
}

// A start that fails goes on with the stop from wherever it was.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	broken := echoes(&echo.Service{})
	broken.Setup = func(context.Context, *chassis.App) error { return boom }
	for _, test := range []struct {
		name    string
		service chassis.Service
		env     []string
		closed  string // the port that cannot be opened
		last    chassis.Step
		want    string
	}{
		{"telemetry", echoes(&echo.Service{}), []string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317"}, "", chassis.Configured, "chassis: starting telemetry: "},
		{"identity", echoes(&echo.Service{}), []string{"CHASSIS_MTLS=files"}, "", chassis.TelemetryStarted, "chassis: getting an identity: CHASSIS_TLS_CERT_FILE is not set"},
		{"admin port", echoes(&echo.Service{}), nil, "admin", chassis.IdentityReady, "chassis: opening the admin port: admin: CHASSIS_ADMIN_ADDR: boom"},
		{"setup", broken, nil, "", chassis.AdminListening, "chassis: setting up the service: boom"},
		{"gRPC port", echoes(&echo.Service{}), nil, "grpc", chassis.SetUp, "chassis: opening the ports: gRPC: CHASSIS_GRPC_ADDR: boom"},
		{"REST port", echoes(&echo.Service{}), nil, "http", chassis.SetUp, "chassis: opening the ports: http: CHASSIS_HTTP_ADDR: boom"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var events []chassis.Event
			test.service.OnEvent = func(e chassis.Event) { events = append(events, e) }
			err := chassis.Run(harness.With(t.Context(), &harness.Harness{
				Environ: append([]string{"CHASSIS_ENVIRONMENT=development", "CHASSIS_MTLS=off"}, test.env...), Output: io.Discard,
				Listen: func(_ context.Context, port, _ string) (net.Listener, error) {
					if port == test.closed {
						return nil, boom
					}
					return net.Listen("tcp", "localhost:0")
				},
			}), test.service)
			if err == nil {
				t.Fatal("the service started, want an error")
			}
			expectAll(t, err.Error(), test.want)
			want := startOrder[:slices.Index(startOrder, test.last)+1]
			if test.last == chassis.Configured { // nobody could be told of a stop yet
				expectSteps(t, events, want)
			} else {
				expectSteps(t, events, want, stopOrder)
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing was written
	err = chassis.Run(harness.With(t.Context(), &harness.Harness{
		Environ: []string{"CHASSIS_MTLS=off", "CHASSIS_ADMIN_ADDR=" + taken.Addr().String()}, Output: io.Discard,
	}), echoes(&echo.Service{}))
	if err == nil {
		t.Fatal("the service started, want an error")
	}
	expectAll(t, err.Error(), "CHASSIS_ADMIN_ADDR", "address already in use")
}

func TestStopDuringTheStart(t *testing.T) {
	t.Parallel()
	for _, at := range startOrder[1:] { // before, Run has no telemetry that could tell
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			var events []chassis.Event
			service := echoes(&echo.Service{})
			service.OnEvent = func(e chassis.Event) {
				events = append(events, e)
				if e.Step == at {
					cancel(errors.New("changed our mind"))
				}
			}
			err := chassis.Run(harness.With(ctx, &harness.Harness{
				Environ: []string{"CHASSIS_MTLS=off"}, Output: io.Discard,
				Listen: func(context.Context, string, string) (net.Listener, error) { return net.Listen("tcp", "localhost:0") },
			}), service)
			if err != nil {
				t.Errorf("got %v, want a clean end", err)
			}
			expectSteps(t, events, startOrder[:slices.Index(startOrder, at)+1], stopOrder)
		})
	}
}

func TestStopDuringSetup(t *testing.T) {
	t.Parallel()
	inSetup := make(chan struct{})
	service := echoes(&echo.Service{})
	service.Setup = func(ctx context.Context, _ *chassis.App) error {
		close(inSetup)
		<-ctx.Done()
		return ctx.Err()
	}
	svc := chassistest.Begin(t, service, chassistest.Options{})
	<-inSetup
	svc.Stop()
	expectSteps(t, svc.Events(), startOrder[:4], stopOrder)
}

func TestServicesInOneProcess(t *testing.T) {
	t.Parallel()
	var running []*chassistest.Running
	for n := range 3 {
		service := echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) { return fmt.Sprint(n), nil }})
		service.Name = fmt.Sprintf("echo-%d", n)
		running = append(running, start(t, service, nil))
	}
	for n, svc := range running {
		got, err := echo.Say(t.Context(), svc.Conn(), "")
		if err != nil || got != fmt.Sprint(n) {
			t.Errorf("service %d: got %q, %v", n, got, err)
		}
		if calls := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "test.v1.EchoService/Say"); calls != 1 {
			t.Errorf("service %d: got %v calls counted, want its own alone", n, calls)
		}
	}
	running[0].Stop()
	if _, err := echo.Say(t.Context(), running[1].Conn(), ""); err != nil {
		t.Errorf("after another has stopped: %v", err)
	}
}

func TestOneServiceTwice(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	for range 2 {
		svc := start(t, service, nil)
		if _, err := echo.Say(t.Context(), svc.Conn(), ""); err != nil {
			t.Error(err)
		}
		svc.Stop()
	}
}

// An OnEvent that ends its goroutine, as a test does that fails, does not keep the service from its
// end.
func TestOnEventThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	service, ctx := echoes(&echo.Service{}), t.Context()
	ctx, stop := context.WithCancel(ctx)
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.Ready {
			stop()
			runtime.Goexit()
		}
	}
	err := chassis.Run(harness.With(ctx, &harness.Harness{
		Environ: []string{"CHASSIS_MTLS=off", "CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0"},
		Output:  io.Discard,
	}), service)
	if err != nil {
		t.Errorf("got %v, want a clean stop", err)
	}
}
