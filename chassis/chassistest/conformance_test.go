package chassistest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/gate"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]chassis.Service{"echo": service(), "vault": vault(careful), "patient vault": vault(nil), "gate": gated()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chassistest.Conformance(t, s, chassistest.Options{})
		})
	}
}

func TestConformanceWithTLSEverywhere(t *testing.T) {
	t.Parallel()
	chassistest.Conformance(t, gated(), chassistest.Options{Env: map[string]string{"CHASSIS_HTTP_TLS": "true", "CHASSIS_ADMIN_TLS": "true"}})
}

func gated() chassis.Service {
	return chassis.Service{Name: "gate", Setup: func(ctx context.Context, app *chassis.App) error {
		app.RegisterService(gate.Desc, nil)
		app.Gateway(ctx, gate.RegisterGateway)
		return nil
	}}
}

// vault is a service that does something with its secrets.
func vault(do func(ctx context.Context, log *slog.Logger, in *vaultv1.StoreRequest) error) chassis.Service {
	return chassis.Service{Name: "vault", Setup: func(ctx context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, &vaultServer{log: app.Logger(), do: do, waits: do == nil})
		app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
		return nil
	}}
}

func careful(ctx context.Context, log *slog.Logger, in *vaultv1.StoreRequest) error {
	log.InfoContext(ctx, "stored", "request", in)
	return errors.New("cannot store it")
}

type vaultServer struct {
	vaultv1.UnimplementedVaultServiceServer
	log *slog.Logger
	do  func(context.Context, *slog.Logger, *vaultv1.StoreRequest) error

	waits bool // in Upload
}

func (v *vaultServer) Store(ctx context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	if v.do == nil {
		return new(vaultv1.StoreResponse), nil
	}
	return new(vaultv1.StoreResponse), v.do(ctx, v.log, in)
}

// Upload may wait for ever for a message that does not come.
func (v *vaultServer) Upload(stream grpc.ClientStreamingServer[vaultv1.UploadRequest, vaultv1.UploadResponse]) error {
	if !v.waits {
		return stream.SendAndClose(new(vaultv1.UploadResponse))
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

// conforming runs the checks on a fake test and returns those that fail, with what they say.
func conforming(s chassis.Service, env map[string]string) map[string]string {
	failed := map[string]string{}
	whole := new(fakeTB)
	errs := whole.run(func(t testing.TB) {
		chassistest.ConformanceOf(t, s, chassistest.Options{Env: env}, func(name string, check func(testing.TB)) {
			if errs := new(fakeTB).run(check); len(errs) > 0 {
				failed[name] = strings.Join(errs, "\n")
			}
		})
	})
	if len(errs) > 0 {
		failed["the test"] = strings.Join(errs, "\n")
	}
	return failed
}

// Each promise, broken in a way that a service can break it, fails its own check and no other.
func TestConformanceFailsForWhatIsBroken(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // after the subtests, which a defer would not wait for
	for _, test := range []struct {
		name    string
		service chassis.Service
		env     map[string]string
		check   string
		says    []string
		more    []string // other checks that fail with it
	}{
		{
			name: "callers are let in that the contract does not name", service: vault(careful), env: map[string]string{"CHASSIS_AUTHORIZATION": "audit"},
			check: "callers are held to the contract", says: []string{"vault.v1.VaultService/Upload", "open to keeper"},
		},
		{
			name: "no deadline", service: service(), env: map[string]string{"CHASSIS_CALL_TIMEOUT": "0"},
			check: "deadlines are kept", says: []string{"test.v1.EchoService/Say has no deadline"},
		},
		{
			name: "a secret is printed into the log",
			service: vault(func(ctx context.Context, log *slog.Logger, in *vaultv1.StoreRequest) error {
				log.InfoContext(ctx, "stored "+in.GetCard()) //nolint:sloglint // which is the mistake
				return nil
			}),
			check: "secrets stay inside", says: []string{"in the log", "stored "},
		},
		{
			name: "a secret number is logged as a value of its own",
			service: vault(func(ctx context.Context, log *slog.Logger, in *vaultv1.StoreRequest) error {
				log.InfoContext(ctx, "stored", "number", in.GetPin())
				return nil
			}),
			check: "secrets stay inside", says: []string{"in the log"},
		},
		{
			name: "a metric has a label of the caller's choice", service: labelled(),
			check: "series are bounded", says: []string{"visits_total went from"},
		},
		{
			name: "a worker that does not end", service: with(func(app *chassis.App) {
				app.Go("deaf", func(context.Context) error { <-release; return nil })
			}),
			env:   map[string]string{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"},
			check: "a stop loses no call", says: []string{"worker deaf did not return in time"}, more: []string{"nothing is left running"},
		},
		{
			name: "a goroutine that nobody ends", service: with(func(*chassis.App) { go leak(release) }),
			check: "nothing is left running", says: []string{"chassistest_test.leak"},
		},
		{
			name: "mutual TLS is off", service: service(), env: map[string]string{"CHASSIS_MTLS": "off"},
			check: "the test", says: []string{"conformance needs mutual TLS"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			failed := conforming(test.service, test.env)
			for _, part := range test.says {
				if !strings.Contains(failed[test.check], part) {
					t.Errorf("%q says\n%s\nwant %q in it", test.check, failed[test.check], part)
				}
			}
			for _, expected := range append(test.more, test.check) {
				delete(failed, expected)
			}
			if len(failed) > 0 {
				t.Errorf("other checks failed too: %q", failed)
			}
		})
	}
}

func with(register func(*chassis.App)) chassis.Service {
	s := service()
	setup := s.Setup
	s.Setup = func(ctx context.Context, app *chassis.App) error {
		register(app)
		return setup(ctx, app)
	}
	return s
}

// labelled counts visits by the path that was asked for.
func labelled() chassis.Service {
	return chassis.Service{Name: "labelled", Setup: func(_ context.Context, app *chassis.App) error {
		visits := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "visits_total"}, []string{"path"})
		app.HandlePublic("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visits.WithLabelValues(r.URL.Path).Inc()
			_, _ = io.WriteString(w, "hello")
		}))
		return app.Metrics().Register(visits)
	}}
}
