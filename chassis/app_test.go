package chassis_test

import (
	"context"
	"net/http"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/health"
)

func TestSetupMistakes(t *testing.T) {
	t.Parallel()
	idle := func(context.Context) error { return nil }
	handler := http.NotFoundHandler()
	for _, test := range []struct {
		name  string
		setup func(*chassis.App)
		want  []string
	}{
		{"service twice", func(app *chassis.App) {
			app.RegisterService(&echo.Desc, &echo.Service{})
			app.RegisterService(&echo.Desc, &echo.Service{})
		}, []string{"gRPC service test.v1.EchoService is registered twice"}},
		{"wrong type", func(app *chassis.App) {
			app.RegisterService(&echo.Desc, echo.Service{}) // not the pointer
		}, []string{"gRPC service test.v1.EchoService: echo.Service does not implement echo.server"}},
		{"pattern twice", func(app *chassis.App) {
			app.Handle("GET /a/{x}", handler)
			app.Handle("GET /a/{y}", handler)
		}, []string{`HTTP pattern "GET /a/{y}"`, "conflicts"}},
		{"malformed pattern", func(app *chassis.App) { app.Handle("/{", handler) }, []string{`HTTP pattern "/{"`}},
		{"worker twice", func(app *chassis.App) {
			app.Go("sweep", idle)
			app.Go("sweep", idle)
		}, []string{`two workers or stop functions named "sweep"`}},
		{"nameless", func(app *chassis.App) {
			app.Go("", idle)
			app.OnStop("close", nil)
		}, []string{`worker or stop function "" needs a name`, `worker or stop function "close" needs a name and a function`}},
		{"all at once", func(app *chassis.App) {
			app.Handle("/{", handler)
			app.Go("", idle)
			app.RegisterService(&echo.Desc, struct{}{})
		}, []string{`"/{"`, "needs a name", "does not implement"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			expectAll(t, startError(t, setsUp(test.setup), nil), append(test.want, "chassis: setting up the service: ")...)
		})
	}
}

func TestMistakesThatTheirMethodReturns(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		if err := app.Health(health.Check{Name: "db"}); err == nil {
			t.Error("a check without a probe: no error")
		}
	}), nil)
	svc.Stop()
}

func TestLateRegistration(t *testing.T) {
	t.Parallel()
	var app *chassis.App
	svc := start(t, setsUp(func(a *chassis.App) { app = a }), nil)
	for name, register := range map[string]func(){
		"RegisterService": func() { app.RegisterService(&echo.Desc, &echo.Service{}) },
		"Handle":          func() { app.Handle("/", http.NotFoundHandler()) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s after Setup: no panic", name)
				}
			}()
			register()
		}()
	}
	register := func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error { return nil }
	if err := app.Gateway(t.Context(), register); err == nil {
		t.Error("Gateway after Setup: no error")
	}
	svc.Stop()
}

func TestLateWorker(t *testing.T) {
	t.Parallel()
	var app *chassis.App
	svc := start(t, setsUp(func(a *chassis.App) { app = a }), nil)
	runs, ended := make(chan struct{}), make(chan struct{})
	app.Go("late", func(ctx context.Context) error {
		close(runs)
		<-ctx.Done()
		close(ended)
		return nil
	})
	<-runs
	svc.Stop()
	<-ended
}

func TestWhatSetupIsGiven(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		_, span := app.Tracer().Start(context.Background(), "own span")
		span.End()
		app.Logger().Info("own line", "n", 1)
		counter, err := app.MeterProvider().Meter("lib").Int64Counter("lib.calls")
		if err != nil {
			t.Error(err)
		}
		counter.Add(context.Background(), 7)
	}), nil)
	if lines := svc.Logs("own line"); len(lines) != 1 || lines[0]["n"] != 1.0 {
		t.Errorf("got lines %v", lines)
	}
	if spans := svc.Spans(); len(spans) != 1 || spans[0].Name() != "own span" {
		t.Errorf("got spans %v", spans)
	}
	if got := svc.Metric("lib_calls_total"); got != 7 {
		t.Errorf("got %v of a library's counter, want 7", got)
	}
}

func TestServiceWithoutHTTPOpensNoRESTPort(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, setsUp(func(*chassis.App) {}), chassistest.Options{})
	if _, err := svc.HTTP().Get("http://rest/"); err == nil { //nolint:noctx,bodyclose // there is no answer
		t.Error("the REST port answers, want it closed")
	}
}
