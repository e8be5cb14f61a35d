package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
	"github.com/betmakers/paddock/health"
)

func TestSetupMistakes(t *testing.T) {
	t.Parallel()
	idle := func(context.Context) error { return nil }
	pass := func(context.Context) error { return nil }
	handler := http.NotFoundHandler()
	for _, test := range []struct {
		name  string
		setup func(context.Context, *chassis.App)
		want  []string
	}{
		{"service twice", func(_ context.Context, app *chassis.App) {
			app.RegisterService(&echo.Desc, &echo.Service{})
			app.RegisterService(&echo.Desc, &echo.Service{})
		}, []string{"gRPC service test.v1.EchoService is registered twice: remove one registration"}},
		{"wrong type", func(_ context.Context, app *chassis.App) {
			app.RegisterService(&echo.Desc, echo.Service{}) // not the pointer
		}, []string{"gRPC service test.v1.EchoService: echo.Service does not implement echo.server"}},
		{"nil server", func(_ context.Context, app *chassis.App) {
			app.RegisterService(&echo.Desc, nil)
		}, []string{"gRPC service test.v1.EchoService is registered with a nil server", "pass a server that implements it"}},
		{"nil pointer as a server", func(_ context.Context, app *chassis.App) {
			app.RegisterService(&echo.Desc, (*echo.Service)(nil))
		}, []string{"gRPC service test.v1.EchoService is registered with a nil server"}},
		{"nil server of generated code", func(_ context.Context, app *chassis.App) {
			vaultv1.RegisterVaultServiceServer(app, nil)
		}, []string{"gRPC service vault.v1.VaultService is registered with a nil server"}},
		{"no description", func(_ context.Context, app *chassis.App) {
			app.RegisterService(nil, &echo.Service{})
		}, []string{"registered with a nil ServiceDesc: pass the generated XService_ServiceDesc"}},
		{"a service of the chassis's own", func(_ context.Context, app *chassis.App) {
			healthpb.RegisterHealthServer(app, healthpb.UnimplementedHealthServer{})
		}, []string{"gRPC service grpc.health.v1.Health is registered by the chassis itself: remove your registration, and add checks with app.Health"}},
		{"pattern twice", func(_ context.Context, app *chassis.App) {
			app.Handle("GET /a/{x}", handler)
			app.Handle("GET /a/{y}", handler)
		}, []string{`HTTP pattern "GET /a/{y}"`, "conflicts"}},
		{"malformed pattern", func(_ context.Context, app *chassis.App) { app.Handle("/{", handler) }, []string{`HTTP pattern "/{"`}},
		{"nil handler", func(_ context.Context, app *chassis.App) {
			app.Handle("GET /a", nil)
			app.HandlePublic("GET /b", http.HandlerFunc(nil))
		}, []string{`HTTP pattern "GET /a": the handler is nil: pass the handler that serves the pattern`, `HTTP pattern "GET /b": the handler is nil`}},
		{"malformed caller", func(_ context.Context, app *chassis.App) {
			app.Handle("GET /a", handler, "")
		}, []string{`HTTP pattern "GET /a": callers have ""`}},
		{"worker twice", func(_ context.Context, app *chassis.App) {
			app.Go("sweep", idle)
			app.GoRequired("sweep", idle)
			app.OnStop("sweep", idle)
		}, []string{
			`GoRequired: two workers or stop functions have the name "sweep": rename one`,
			`OnStop: two workers or stop functions have the name "sweep"`,
		}},
		{"nameless", func(_ context.Context, app *chassis.App) {
			app.Go("", idle)
			app.GoRequired("", idle)
			app.OnStop("", idle)
		}, []string{"Go: the name is empty: name", "GoRequired: the name is empty: name", "OnStop: the name is empty: name"}},
		{"a name that is no label", func(_ context.Context, app *chassis.App) {
			app.Go("\xff", idle)
		}, []string{`Go: the name "\xff" is not valid UTF-8`}},
		{"nil functions", func(_ context.Context, app *chassis.App) {
			app.Go("sweep", nil)
			app.GoRequired("feed", nil)
			app.OnStop("close", nil)
		}, []string{
			`Go: the function of "sweep" is nil: pass the function to run`, `GoRequired: the function of "feed" is nil`,
			`OnStop: the function of "close" is nil`,
		}},
		{"check without a probe", func(_ context.Context, app *chassis.App) {
			app.Health(health.Check{Name: "db"})
		}, []string{`health: check "db": Probe is nil`}},
		{"check twice", func(_ context.Context, app *chassis.App) {
			app.Health(health.Check{Name: "db", Probe: pass})
			app.Health(health.Check{Name: "db", Probe: pass})
		}, []string{`health: there are two checks named "db": give each a name of its own`}},
		{"HTTP client without a name", func(_ context.Context, app *chassis.App) {
			if _, err := app.HTTPClient("").Get("http://localhost/"); err == nil { //nolint:noctx,bodyclose // there is no answer
				t.Error("the client sends requests, want each refused")
			}
		}, []string{`HTTP client "": the name must begin with a letter and have at most 63 lower-case letters, digits and dashes`}},
		{"nil gateway", func(ctx context.Context, app *chassis.App) {
			app.Gateway(ctx, nil)
		}, []string{"Gateway: a register function is nil: pass functions that protoc-gen-grpc-gateway generated"}},
		{"gateway that fails", func(ctx context.Context, app *chassis.App) {
			app.Gateway(ctx, func(_ context.Context, mux *gateway.ServeMux, _ *grpc.ClientConn) error {
				return mux.HandlePath("GET", "v1", nil)
			})
		}, []string{"Gateway: parsing path pattern"}},
		{"nothing", func(context.Context, *chassis.App) {}, []string{
			"nothing is registered", "a gRPC service", "a handler (app.Handle)", "a worker (app.Go)",
		}},
		{"nothing but what goes with it", func(_ context.Context, app *chassis.App) {
			app.Health(health.Check{Name: "db", Probe: pass})
			app.OnStop("db", idle)
		}, []string{"nothing is registered"}},
		{"all at once", func(ctx context.Context, app *chassis.App) {
			app.Handle("/{", handler)
			app.Go("", idle)
			app.RegisterService(&echo.Desc, struct{}{})
			app.Health(health.Check{Name: "db"})
			app.Gateway(ctx, nil)
			app.WithoutGateway("hello")
		}, []string{`"/{"`, "the name is empty", "does not implement", "Probe is nil", "Gateway: ", "app.WithoutGateway was called with"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service := chassis.Service{Name: "bare", Setup: func(ctx context.Context, app *chassis.App) error {
				test.setup(ctx, app)
				return nil
			}}
			expectAll(t, startError(t, service, nil), append(test.want, "chassis: setting up the service: ")...)
		})
	}
}

func TestNilFieldsOfAService(t *testing.T) {
	t.Parallel()
	service := setsUp(func(*chassis.App) {})
	service.Tokens = (*noTokens)(nil)
	service.UnaryInterceptors = []grpc.UnaryServerInterceptor{nil}
	service.StreamInterceptors = []grpc.StreamServerInterceptor{nil}
	expectAll(t, startError(t, service, nil), "Service.Tokens is a nil *chassis_test.noTokens: remove it",
		"Service.UnaryInterceptors[0] is nil: remove it", "Service.StreamInterceptors[0] is nil")
}

type noTokens struct{}

func (*noTokens) Verify(context.Context, string) (string, error) { return "", errors.New("none") }

// What a Setup has registered wrongly before it fails is reported with its failure.
func TestErrorsOfASetupThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func() error
		want string
	}{
		"error":   {func() error { return errors.New("no database") }, "no database"},
		"panic":   {func() error { panic("no database") }, "panic: no database (the log has its stack)"},
		"runtime": {func() error { return (*chassis.Error)(nil).Cause }, "panic: runtime error: invalid memory address"},
		"goexit":  {func() error { runtime.Goexit(); return nil }, "it ended its goroutine (runtime.Goexit)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, err := chassistest.TryStart(t, chassis.Service{Name: "bare", Setup: func(_ context.Context, app *chassis.App) error {
				app.Go("", nil)
				return test.end()
			}}, chassistest.Options{})
			if err == nil {
				t.Fatal("the service started, want an error")
			}
			expectAll(t, err.Error(), "chassis: setting up the service: ", test.want)
			if name != "goexit" {
				expectAll(t, err.Error(), "Go: the name is empty")
			}
			var failed []map[string]any
			for _, line := range svc.Logs("lifecycle") {
				if line["step"] == string(chassis.StopRequested) {
					failed = append(failed, line)
				}
			}
			if len(failed) != 1 || failed[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(failed[0]["error"]), test.want) {
				t.Errorf("got the lines %v, want one error that says %q", failed, test.want)
			}
			stacks := svc.Logs("a step of the start panicked")
			if panics := name == "panic" || name == "runtime"; panics != (len(stacks) == 1) || panics && !strings.Contains(fmt.Sprint(stacks[0]["stack"]), "app_test.go") {
				t.Errorf("got the lines %v, want the stack of a panic, once", stacks)
			}
		})
	}
}

// registrations are all methods of App that register, with what they say late where they return
// something to use.
func registrations(ctx context.Context) map[string]func(*chassis.App) error {
	idle := func(context.Context) error { return nil }
	routes := func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error { panic("it has no effect") }
	return map[string]func(*chassis.App) error{
		"RegisterService": func(app *chassis.App) error { app.RegisterService(&echo.Desc, &echo.Service{}); return nil },
		"Gateway":         func(app *chassis.App) error { app.Gateway(ctx, routes); return nil },
		"WithoutGateway":  func(app *chassis.App) error { app.WithoutGateway("hello.v1.HelloService"); return nil },
		"Handle":          func(app *chassis.App) error { app.Handle("/", http.NotFoundHandler()); return nil },
		"HandlePublic":    func(app *chassis.App) error { app.HandlePublic("/", http.NotFoundHandler()); return nil },
		"Health":          func(app *chassis.App) error { app.Health(health.Check{Name: "db", Probe: idle}); return nil },
		"Go":              func(app *chassis.App) error { app.Go("late", idle); return nil },
		"GoRequired":      func(app *chassis.App) error { app.GoRequired("late", idle); return nil },
		"OnStop":          func(app *chassis.App) error { app.OnStop("late", idle); return nil },
		"Dial":            func(app *chassis.App) error { _, err := app.Dial(ctx, "wallet"); return err },
		"DialRequired":    func(app *chassis.App) error { _, err := app.DialRequired(ctx, "wallet"); return err },
		"Resource":        func(app *chassis.App) error { _, err := app.Resource("pool", 1); return err },
		"HTTPClient": func(app *chassis.App) error {
			_, err := app.HTTPClient("partner").Get("http://localhost/") //nolint:noctx,bodyclose // there is no answer
			return err
		},
	}
}

// hasValue are the registrations that return an error, themselves or with the first use of what
// they return.
var hasValue = []string{"Dial", "DialRequired", "Resource", "HTTPClient"}

// A method that is not in the list is one that no test of being late has seen.
func TestEveryMethodThatRegistersIsTestedLate(t *testing.T) {
	registers := registrations(t.Context())
	always := []string{"Logger", "Tracer", "TracerProvider", "Metrics", "MeterProvider"} // register nothing
	app := reflect.TypeFor[*chassis.App]()
	for i := range app.NumMethod() {
		name := app.Method(i).Name
		if registers[name] == nil && !slices.Contains(always, name) {
			t.Errorf("App.%s is in no list: does it register something?", name)
		}
	}
}

func TestLateRegistrationPanics(t *testing.T) {
	t.Parallel()
	var app *chassis.App
	svc := start(t, setsUp(func(a *chassis.App) { app = a }), nil)
	for name, register := range registrations(t.Context()) {
		t.Run(name, func(t *testing.T) {
			defer func() {
				method := "App." + strings.NewReplacer("HandlePublic", "Handle", "DialRequired", "Dial").Replace(name)
				if p := fmt.Sprint(recover()); !strings.Contains(p, method+" was called after Setup had returned") || !strings.Contains(p, "call it in Setup") {
					t.Errorf("got the panic %s, want one that names %s and says what to do", p, method)
				}
			}()
			_ = register(app)
		})
	}
	svc.Stop() // the panics have left no lock
}

// A goroutine that Setup has left behind must not end a process that stops, with the services
// beside.
func TestRegistrationAfterTheEndHasNoEffect(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails error
	}{
		"a failed start": {errors.New("no database")},
		"a stop":         {nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var app *chassis.App
			svc := chassistest.Begin(t, chassis.Service{Name: "bare", Setup: func(_ context.Context, a *chassis.App) error {
				app = a
				a.Go("idle", untilStop)
				return test.fails
			}}, chassistest.Options{})
			if test.fails == nil {
				svc.WaitFor(chassis.Ready)
				svc.RequestStop()
			}
			if err := svc.Wait(); (err == nil) != (test.fails == nil) {
				t.Fatal(err)
			}
			for name, register := range registrations(context.Background()) {
				err := register(app)
				if wanted := slices.Contains(hasValue, name); wanted && (err == nil || !strings.Contains(err.Error(), "the registration has no effect")) || !wanted && err != nil {
					t.Errorf("%s: got %v", name, err)
				}
			}
		})
	}
}

// The same for a Setup that was left behind itself, as it did not return when its context had
// ended.
func TestSetupThatWasLeftBehindRegistersNothing(t *testing.T) {
	t.Parallel()
	entered, release, late := make(chan struct{}), make(chan struct{}), make(chan map[string]error, 1)
	svc := chassistest.Begin(t, chassis.Service{Name: "bare", Setup: func(_ context.Context, app *chassis.App) error {
		close(entered)
		<-release
		errs := map[string]error{}
		for name, register := range registrations(context.Background()) {
			errs[name] = register(app)
		}
		late <- errs
		return nil
	}}, chassistest.Options{Env: env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"}})
	await(t, entered, "Setup runs")
	svc.RequestStop()
	if err := svc.Wait(); err == nil || !strings.Contains(err.Error(), "it did not return within") {
		t.Errorf("got %v, want the error of a Setup that hangs", err)
	}
	close(release)
	for name, err := range await(t, late, "Setup goes on") {
		if wanted := slices.Contains(hasValue, name); wanted && (err == nil || !strings.Contains(err.Error(), "the registration has no effect")) || !wanted && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The same while the service stops, when its log still has a reader.
func TestRegistrationDuringTheStopIsLogged(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		app.OnStop("late", func(ctx context.Context) error {
			app.Go("later", untilStop)
			_, err := app.Dial(ctx, "wallet")
			return err
		})
	}), nil)
	svc.RequestStop()
	if err := svc.Wait(); err == nil || !strings.Contains(err.Error(), "the registration has no effect") {
		t.Errorf("got %v, want the error of Dial", err)
	}
	var methods []any
	for _, line := range svc.Logs("a registration has no effect: the service has failed to start, or is stopping") {
		methods = append(methods, line["method"])
	}
	if !slices.Equal(methods, []any{"App.Go", "App.Dial"}) {
		t.Errorf("got lines about %v, want one each of App.Go and App.Dial", methods)
	}
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
