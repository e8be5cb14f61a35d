package chassis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// wordy fails with as many fields as the request's how says, or with a long message.
type wordy struct {
	vaultv1.UnimplementedVaultServiceServer
}

func (wordy) Store(_ context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	e := &chassis.Error{Code: codes.InvalidArgument, Domain: "vault.v1", Reason: "WRONG", Message: "wrong", RetryAfter: time.Second}
	fields := 0
	if _, err := fmt.Sscan(in.GetHow(), &fields); err != nil {
		e.Message = strings.Repeat("long ", 2000)
	}
	for i := range fields {
		e.Fields = append(e.Fields, chassis.FieldViolation{Field: fmt.Sprintf("legs[%d].stake", i), Description: strings.Repeat("too high ", 5), Reason: "TOO_HIGH"})
	}
	return nil, e
}

func (w wordy) Watch(in *vaultv1.WatchRequest, _ vaultv1.VaultService_WatchServer) error {
	_, err := w.Store(context.Background(), &vaultv1.StoreRequest{How: in.GetHow()})
	return err
}

func wordyService(t *testing.T, mtls string) *chassistest.Running {
	t.Helper()
	settings := env{}
	if mtls != "" {
		settings["CHASSIS_MTLS"] = mtls
	}
	return start(t, chassis.Service{Name: "vault", Setup: func(ctx context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, wordy{})
		app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
		return nil
	}}, settings)
}

// A status that is larger than its client takes arrives, cut and with a mark. A client that takes
// all gets all.
func TestStatusesFitTheirClients(t *testing.T) {
	t.Parallel()
	for _, mtls := range []string{"", "off"} {
		svc := wordyService(t, mtls)
		creds := insecure.NewCredentials()
		if mtls == "" {
			creds = credentials.NewTLS(svc.TLSAs("web"))
		}
		for name, client := range map[string]struct {
			opts []grpc.DialOption
			cut  bool
		}{
			"8 KiB":    {[]grpc.DialOption{grpc.WithMaxHeaderListSize(8 << 10)}, true},
			"4 KiB":    {[]grpc.DialOption{grpc.WithMaxHeaderListSize(4 << 10)}, true},
			"the rest": {nil, false},
		} {
			vault := vaultv1.NewVaultServiceClient(svc.ConnWith(append(client.opts, grpc.WithTransportCredentials(creds))...))
			for _, how := range []string{"3", "80", "500", "text"} {
				_, err := vault.Store(t.Context(), &vaultv1.StoreRequest{How: how})
				stream, err2 := vault.Watch(t.Context(), &vaultv1.WatchRequest{How: how})
				if err2 == nil {
					_, err2 = stream.Recv()
				}
				for kind, err := range map[string]error{"unary": err, "stream": err2} {
					e, ok := chassis.ErrorOf(err)
					if !ok || e.Code != codes.InvalidArgument || e.Reason != "WRONG" || e.RetryAfter != time.Second {
						t.Fatalf("%s, %s, %s: got %.300v", name, how, kind, err)
					}
					marked := strings.Contains(e.Message, "(cut to what the caller takes: ")
					if want := client.cut && how != "3"; marked != want {
						t.Errorf("%s, %s, %s: cut: %t, want %t: %.300v", name, how, kind, marked, want, err)
					}
					if how != "text" && len(e.Fields) == 0 {
						t.Errorf("%s, %s, %s: no fields", name, how, kind)
					}
				}
			}
		}
	}
}

// REST has the status in its body: the first fields of any number, and how many there are beside.
func TestFieldsOfLargeErrorsByREST(t *testing.T) {
	t.Parallel()
	svc := wordyService(t, "")
	for fields, omitted := range map[int]string{1: "", 100: "", 101: `"errors_omitted":1,`, 500: `"errors_omitted":400,`, 1000: `"errors_omitted":900,`, 5000: `"errors_omitted":4900,`} {
		got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", fmt.Sprintf(`{"how":"%d"}`, fields))
		if n := strings.Count(got.body, `"field":`); got.status != 400 || n != min(fields, 100) || !strings.Contains(got.body, omitted) || omitted == "" && strings.Contains(got.body, "errors_omitted") {
			t.Errorf("%d fields: got %d with %d errors, want %s: %.300s", fields, got.status, n, omitted, got.body)
		}
	}
}

// The cause of a context error stands in the log, also where the service itself has cancelled.
func TestCausesOfContextErrors(t *testing.T) {
	t.Parallel()
	for cause, level := range map[error]string{context.DeadlineExceeded: "ERROR", context.Canceled: "WARN"} {
		svc := start(t, chassis.Service{Name: "vault", Setup: func(ctx context.Context, app *chassis.App) error {
			vaultv1.RegisterVaultServiceServer(app, slowQuery{cause: cause})
			app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
			return nil
		}}, nil)
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", "{}"); strings.Contains(got.body, "ledger") {
			t.Errorf("got %s", got)
		}
		if lines := svc.Logs("handler's error has a cause"); len(lines) != 1 || lines[0]["level"] != level || !strings.Contains(fmt.Sprint(lines[0]["error"]), "query the ledger") {
			t.Errorf("%v: logged %v, want the cause as %s", cause, lines, level)
		}
	}
}

type slowQuery struct {
	vaultv1.UnimplementedVaultServiceServer
	cause error
}

func (s slowQuery) Store(context.Context, *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	return nil, fmt.Errorf("query the ledger: %w", s.cause)
}
