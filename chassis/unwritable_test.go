package chassis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// unwritable is a service whose answers are no JSON: their text is not UTF-8.
type unwritable struct {
	vaultv1.UnimplementedVaultServiceServer
}

func (unwritable) Store(context.Context, *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	return &vaultv1.StoreResponse{Receipt: "hunter2\xff"}, nil
}

func (unwritable) Watch(in *vaultv1.WatchRequest, stream vaultv1.VaultService_WatchServer) error {
	if in.GetLoad().GetText() == "late" {
		if err := stream.Send(&vaultv1.WatchResponse{Receipt: "first"}); err != nil {
			return err
		}
	}
	return stream.Send(&vaultv1.WatchResponse{Receipt: "hunter2\xff"})
}

// An answer that cannot be written is a failure of the call, to its caller, in the log and in the
// metric alike.
func TestAnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url    string
		status int
		method string
	}{
		"unary":              {"/v1/vault/1", 500, "Store"},
		"stream":             {"/v1/vault/now/watch", 500, "Watch"},
		"stream, the second": {"/v1/vault/late/watch", 200, "Watch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, chassis.Service{Name: "vault", Setup: func(ctx context.Context, app *chassis.App) error {
				vaultv1.RegisterVaultServiceServer(app, unwritable{})
				app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
				return nil
			}}, nil)
			got := do(t, svc.HTTP(), "GET", "http://rest"+tc.url, "")
			if got.status != tc.status || !strings.Contains(got.body, "internal error, id ") {
				t.Errorf("got %s, want %d and an id", got, tc.status)
			}
			if tc.status == 500 && !strings.Contains(got.body, `"INTERNAL"`) {
				t.Errorf("got %s, want the code INTERNAL", got)
			}
			for _, inside := range []string{"hunter2", "receipt", "UTF-8", "proto"} {
				if body := strings.ReplaceAll(got.body, `"receipt":"first"`, ""); strings.Contains(body, inside) {
					t.Errorf("got %s, with %q", got, inside)
				}
			}
			lines := svc.Logs("call")
			if len(lines) != 1 || lines[0]["code"] != "INTERNAL" || lines[0]["level"] != "ERROR" {
				t.Errorf("logged %v, want INTERNAL as an error", lines)
			}
			if got := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "vault.v1.VaultService/"+tc.method, "rpc_status_code", "INTERNAL"); got != 1 {
				t.Errorf("counted %v calls that failed, want 1", got)
			}
		})
	}
}
