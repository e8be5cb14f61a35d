package chassis_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

func TestCallInFlightEndsBeforeTheService(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 2), make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		entered <- struct{}{}
		<-release
		return "done", nil
	}}), nil)
	byGRPC, byREST := make(chan error, 1), make(chan string, 1)
	conn, client := svc.Conn(), svc.HTTP()
	go func() {
		_, err := echo.Say(context.Background(), conn, "")
		byGRPC <- err
	}()
	go func() {
		resp, err := client.Post("http://rest/v1/say", "application/json", strings.NewReader(`""`)) //nolint:noctx // it ends
		if err != nil {
			byREST <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		byREST <- string(body)
	}()
	await(t, entered, "the handler is called")
	await(t, entered, "the handler is called")
	svc.RequestStop()
	svc.WaitFor(chassis.StreamsTold)
	close(release)
	if err := await(t, byGRPC, "an answer by gRPC"); err != nil {
		t.Errorf("gRPC: got %v, want the answer", err)
	}
	if got := await(t, byREST, "an answer by REST"); got != `"done"` {
		t.Errorf("REST: got %s, want the answer", got)
	}
	svc.Stop()
	expectSteps(t, svc.Events(), startOrder, stopOrder)
}

func TestStreamsAreToldToEnd(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnList: func(ctx context.Context, _ string, send func(string) error) error {
		if err := send("first"); err != nil {
			return err
		}
		<-chassis.Draining(ctx)
		return send("last")
	}}), nil)
	stream, err := echo.List(t.Context(), svc.Conn(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	svc.RequestStop()
	if got, err := stream.Recv(); err != nil || got.GetValue() != "last" {
		t.Errorf("got %v, %v; want the last message", got, err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the stream's end", err)
	}
}

func TestDrainingOutsideOfACall(t *testing.T) {
	if chassis.Draining(t.Context()) != nil {
		t.Error("got a channel for a context of no call, want nil")
	}
}

// While load balancers take notice, the service says that it is not ready, and serves: up to the
// end of the delay, at which the test holds it.
func TestServesDuringTheDrainDelay(t *testing.T) {
	t.Parallel()
	const delay = 100 * time.Millisecond
	over, release := make(chan time.Duration, 1), make(chan struct{})
	service := echoes(&echo.Service{})
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.DrainDelayOver {
			over <- e.Took
			<-release
		}
	}
	svc := start(t, service, env{"CHASSIS_DRAIN_DELAY": delay.String()})
	conn, client := svc.Conn(), svc.HTTP()
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("got %v, %v; want SERVING", got, err)
	}
	svc.RequestStop()
	if took := await(t, over, "the end of the drain delay"); took < delay {
		t.Errorf("the delay was %s, want %s", took, delay)
	}
	defer close(release)
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("watcher: got %v, %v; want NOT_SERVING", got, err)
	}
	if got := do(t, client, "GET", "http://admin/readyz", ""); got.status != 503 {
		t.Errorf("readiness: got %v, want 503", got)
	}
	for name, conn := range map[string]*grpc.ClientConn{"a connection of before": conn, "a new connection": svc.Conn()} {
		if _, err := echo.Say(t.Context(), conn, "hi"); err != nil {
			t.Errorf("gRPC on %s: %v", name, err)
		}
	}
	for name, client := range map[string]*http.Client{"a connection of before": client, "a new connection": svc.HTTP()} {
		if got := do(t, client, "POST", "http://rest/v1/say", `"hi"`); got.status != 200 {
			t.Errorf("REST on %s: got %v, want 200", name, got)
		}
	}
	if svc.Metric("chassis_ready") != 0 {
		t.Error("chassis_ready is 1, want 0")
	}
}

func TestStuckHandlerIsCutAndNamed(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 1), make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		entered <- struct{}{}
		<-release // deaf to its context
		return "", nil
	}}), env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"}) // 100 ms of it for calls
	answered := make(chan error, 1)
	conn := svc.Conn()
	go func() {
		_, err := echo.Say(context.Background(), conn, "")
		answered <- err
	}()
	await(t, entered, "the handler is called")
	svc.RequestStop()
	err := svc.Wait()
	if !errors.Is(err, chassis.ErrCallsCut) {
		t.Fatalf("got %v, want ErrCallsCut", err)
	}
	expectAll(t, err.Error(), "test.v1.EchoService/Say (1)")
	if got := await(t, answered, "an answer"); status.Code(got) != codes.Unavailable {
		t.Errorf("the caller got %v, want Unavailable", got)
	}
	cut := slices.Clone(stopOrder)
	cut[slices.Index(cut, chassis.CallsFinished)] = chassis.CallsCut
	expectSteps(t, svc.Events(), startOrder, cut)
	close(release) // else the test kit finds its goroutine
}

func TestFailedWorkerStopsTheService(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fail := make(chan struct{})
	svc := chassistest.Start(t, setsUp(func(app *chassis.App) {
		app.GoRequired("feed", func(context.Context) error {
			<-fail
			return boom
		})
	}), chassistest.Options{})
	close(fail)
	err := svc.Wait()
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want the worker's error", err)
	}
	expectAll(t, err.Error(), "worker feed")
	expectSteps(t, svc.Events(), startOrder, stopOrder)
	if e := svc.Events()[len(startOrder)]; !errors.Is(e.Err, boom) {
		t.Errorf("got %+v, want stop_requested to say why", e)
	}
}

func TestStopFunctionsRunAfterTheLastCallInReverseOrder(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) func(context.Context) error {
		return func(context.Context) error {
			order = append(order, name)
			return nil
		}
	}
	entered := make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, _ string) (string, error) {
		close(entered)
		<-chassis.Draining(ctx)
		order = append(order, "call")
		return "", nil
	}}, func(app *chassis.App) {
		app.OnStop("database", note("database"))
		app.Go("worker", func(ctx context.Context) error {
			<-ctx.Done()
			return note("worker")(ctx)
		})
		app.OnStop("cache", note("cache"))
	}), nil)
	answered := make(chan error, 1)
	conn := svc.Conn()
	go func() {
		_, err := echo.Say(context.Background(), conn, "")
		answered <- err
	}()
	await(t, entered, "the handler is called")
	svc.Stop()
	if err := await(t, answered, "an answer"); err != nil {
		t.Error(err)
	}
	if want := []string{"call", "cache", "worker", "database"}; !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
}

func TestStopFunctionThatFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	svc := start(t, setsUp(func(app *chassis.App) {
		app.OnStop("database", func(context.Context) error { return boom })
	}), nil)
	svc.RequestStop()
	if err := svc.Wait(); !errors.Is(err, boom) || !strings.Contains(err.Error(), "stop function database") {
		t.Errorf("got %v, want the function's error, named", err)
	}
	expectSteps(t, svc.Events(), startOrder, stopOrder)
}
