package chassis

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis/internal/harness"
	"github.com/betmakers/paddock/internal/build"
)

// greeter is a service with a setting of its own.
func greeter() Service {
	return Service{
		Name: "greeter", Version: "v1.2.3",
		Config: &struct {
			Greeting string `env:"GREETING, default=Hello" oneof:"Hello Ahoy" help:"The word before the name."`
			Password string `env:"PASSWORD"`
		}{},
		Setup: func(_ context.Context, app *App) error { app.Go("greet", untilEnd); return nil },
	}
}

// process runs service as Main does, with an environment and ports of its own.
func process(ctx context.Context, service Service, environ []string, args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	ctx = harness.With(ctx, &harness.Harness{
		Environ: append([]string{"CHASSIS_ENVIRONMENT=development"}, environ...), Output: io.Discard,
		Listen: func(context.Context, string, string) (net.Listener, error) { return net.Listen("tcp", "localhost:0") },
	})
	code = run(ctx, service, nil, args, &out, &err)
	return code, out.String(), err.String()
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		name           string
		args, environ  []string
		code           int
		stdout, stderr []string
		absent         string
	}{
		{
			name: "help", args: []string{"-help"},
			stdout: []string{
				"greeter reads its settings from environment variables.", "-check-config",
				"GREETING (default Hello), one of Hello, Ahoy", "The word before the name.",
				"CHASSIS_GRPC_ADDR (default :9000", "CHASSIS_SHUTDOWN_TIMEOUT (default 20s), more than zero", "OTEL_EXPORTER_OTLP_ENDPOINT",
			},
		},
		{name: "version", args: []string{"-version"}, stdout: []string{"greeter\n", "v1.2.3", "go1."}},
		{
			name: "good settings", args: []string{"-check-config"}, environ: []string{"GREETING=Ahoy", "PASSWORD=hunter2"},
			stdout: []string{
				"GREETING=Ahoy  (environment)", "CHASSIS_GRPC_ADDR=localhost:9000  (default in development)",
				"CHASSIS_CALL_TIMEOUT=10s  (default)",
			},
			absent: "hunter2",
		},
		{
			name: "bad settings", args: []string{"-check-config"}, environ: []string{"CHASSIS_MTSL=off", "CHASSIS_CALL_TIMEOUT=x"}, code: 1,
			stderr: []string{"CHASSIS_MTSL is not a setting: did you mean CHASSIS_MTLS?", "CHASSIS_CALL_TIMEOUT"},
		},
		{
			name: "settings outside their limits", args: []string{"-check-config"}, code: 1,
			environ: []string{"GREETING=Moin", "CHASSIS_IDLE_TIMEOUT=-1s", "CHASSIS_ADMISSION=maybe", "CHASSIS_DEBUG_CALLERS=ops-[,user:alice"},
			stderr: []string{
				`GREETING is "Moin"; it must be one of ["Hello" "Ahoy"]`, "CHASSIS_IDLE_TIMEOUT is -1s; it must be more than zero",
				`CHASSIS_ADMISSION is "maybe"; it must be one of ["on" "off" "report"]`,
				`CHASSIS_DEBUG_CALLERS has "ops-["`, `CHASSIS_DEBUG_CALLERS has "user:alice"`,
			},
		},
		{name: "bad settings at the start", environ: []string{"CHASSIS_MTSL=off"}, code: 1, stderr: []string{"did you mean CHASSIS_MTLS?"}},
		{
			name: "production without certificates", environ: []string{"CHASSIS_ENVIRONMENT=production"}, code: 1,
			stderr: []string{"no certificates", "CHASSIS_TLS_CERT_FILE", "SPIFFE_ENDPOINT_SOCKET"},
		},
		{name: "unknown flag", args: []string{"-port=1"}, code: 2, stderr: []string{"flag provided but not defined: -port"}},
		{name: "argument", args: []string{"serve"}, code: 2, stderr: []string{`greeter accepts no arguments, but got ["serve"]`, "-help"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := process(t.Context(), greeter(), test.environ, test.args...)
			if code != test.code {
				t.Errorf("got exit code %d, want %d", code, test.code)
			}
			for _, part := range test.stdout {
				if !strings.Contains(stdout, part) {
					t.Errorf("no %q in the output:\n%s", part, stdout)
				}
			}
			for _, part := range test.stderr {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in the errors:\n%s", part, stderr)
				}
			}
			if test.absent != "" && strings.Contains(stdout+stderr, test.absent) {
				t.Errorf("%q is shown", test.absent)
			}
			if test.code == 0 && stderr != "" || test.code != 0 && stdout != "" {
				t.Errorf("got output %q and errors %q, want one of them alone", stdout, stderr)
			}
		})
	}
}

// -help shows both defaults where development has one of its own.
func TestEverySettingHasAMeaning(t *testing.T) {
	_, stdout, _ := process(t.Context(), greeter(), nil, "-help")
	for block := range strings.SplitSeq(stdout, "\n  CHASSIS_") {
		name, rest, _ := strings.Cut(block, "\n")
		if strings.TrimSpace(rest) == "" {
			t.Errorf("CHASSIS_%s has no meaning", name)
		}
	}
}

func TestExitCodeOfACleanStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	service := greeter()
	service.OnEvent = func(e Event) {
		if e.Step == Ready {
			cancel()
		}
	}
	if code, stdout, stderr := process(ctx, service, []string{"CHASSIS_MTLS=off"}); code != 0 || stdout+stderr != "" {
		t.Errorf("got %d, %q, %q; want 0 and silence", code, stdout, stderr)
	}
}

func TestExitCodeOfAFailedWorker(t *testing.T) {
	service := greeter()
	service.Setup = func(_ context.Context, app *App) error {
		app.GoRequired("feed", func(context.Context) error { return errors.New("boom") })
		return nil
	}
	code, _, stderr := process(t.Context(), service, []string{"CHASSIS_MTLS=off"})
	if code != 1 || !strings.Contains(stderr, "worker feed: boom") {
		t.Errorf("got %d, %q; want 1 and the cause", code, stderr)
	}
}

func TestSignalStopsTheService(t *testing.T) {
	service := greeter()
	var reason string
	service.OnEvent = func(e Event) {
		switch e.Step {
		case Ready:
			if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		case StopRequested:
			reason = e.Detail
		}
	}
	code, _, stderr := process(t.Context(), service, []string{"CHASSIS_MTLS=off"})
	if code != 0 || stderr != "" || reason != "signal: terminated" {
		t.Errorf("got %d, %q and the reason %q; want 0 and the signal", code, stderr, reason)
	}
}

func TestExitCodeWhereCallsWereCut(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	service := greeter()
	var app *App
	service.Setup = func(_ context.Context, a *App) error {
		app = a
		app.RegisterService(&grpc.ServiceDesc{
			ServiceName: "test.v1.DeafService", HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Hear", Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
				close(entered)
				<-release
				return &emptypb.Empty{}, nil
			}}},
		}, struct{}{})
		return nil
	}
	service.OnEvent = func(e Event) {
		if e.Step != Ready {
			return
		}
		conn, err := grpc.NewClient(app.instance.ports.grpc.listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() {
			_ = conn.Invoke(context.Background(), "/test.v1.DeafService/Hear", &emptypb.Empty{}, &emptypb.Empty{})
		}()
		go func() {
			<-entered
			cancel()
		}()
	}
	code, _, stderr := process(ctx, service, []string{"CHASSIS_MTLS=off", "CHASSIS_SHUTDOWN_TIMEOUT=3010ms"})
	if code != 3 || !strings.Contains(stderr, "test.v1.DeafService/Hear (1)") {
		t.Errorf("got %d, %q; want 3 and the method", code, stderr)
	}
}

// A Setup that ignores a stop, or panics, ends the process as any failed start does.
func TestExitCodeOfASetupThatGoesWrong(t *testing.T) {
	release, left := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, test := range []struct {
		name  string
		setup func()
		want  string
	}{
		{"panics", func() { panic("boom") }, "chassis: setting up the service: panic: boom"},
		{"hangs", func() {
			defer close(left)
			cancel()
			<-release
		}, "chassis: setting up the service: it did not return within"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var last Step
			service := greeter()
			service.OnEvent = func(e Event) { last = e.Step }
			service.Setup = func(context.Context, *App) error {
				test.setup()
				return nil
			}
			code, _, stderr := process(ctx, service, []string{"CHASSIS_MTLS=off", "CHASSIS_SHUTDOWN_TIMEOUT=3100ms"})
			if code != 1 || !strings.Contains(stderr, test.want) || last != Stopped {
				t.Errorf("got %d, %q and the last step %s; want 1, %q and every step", code, stderr, last, test.want)
			}
		})
	}
	close(release)
	<-left
}

// The page, the user agent, the metric and -version ask package build, which knows no version in a
// test binary. "(devel)" is none.
func TestABuildWithoutAVersionHasNone(t *testing.T) {
	service := greeter()
	service.Version = ""
	if got, want := readBuild(service.Version).version, build.Read().Version; got != want || strings.Contains(got, "(devel)") {
		t.Errorf("the version is %q, want that of package build, %q", got, want)
	}
	if got, want := userAgent(&service), strings.TrimSuffix("greeter/"+build.Read().Version, "/")+" paddock"; got != want {
		t.Errorf("the user agent is %q, want %q", got, want)
	}
	var out strings.Builder
	if printVersion(service, &out); strings.Contains(out.String(), "(devel)") {
		t.Errorf("-version says:\n%s", out.String())
	}
}

// A second SIGTERM right after the first is the same one, as timeout(1) sends it. Others exit at
// once.
func TestSecondSignal(t *testing.T) {
	for name, test := range map[string]struct {
		first, second os.Signal
		later         time.Duration
		exits         bool
	}{
		"the same, sent to the group too": {syscall.SIGTERM, syscall.SIGTERM, 10 * time.Millisecond, false},
		"a second later":                  {syscall.SIGTERM, syscall.SIGTERM, 1100 * time.Millisecond, true},
		"Ctrl-C, twice":                   {syscall.SIGINT, syscall.SIGINT, 10 * time.Millisecond, true},
		"Ctrl-C after a SIGTERM":          {syscall.SIGTERM, syscall.SIGINT, 10 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, done, exits := make(chan os.Signal, 2), make(chan struct{}), make(chan bool, 1)
				until := time.Now().Add(sameSignal)
				go func() {
					_, asked := secondSignal(signals, test.first, until, done)
					exits <- asked
				}()
				time.Sleep(test.later)
				signals <- test.second
				synctest.Wait()
				close(done)
				if got := <-exits; got != test.exits {
					t.Errorf("got %v, want %v", got, test.exits)
				}
			})
		})
	}
}
