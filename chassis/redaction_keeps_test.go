package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// bank logs what it does in words of its own, as services do.
type bank struct {
	vaultv1.UnimplementedVaultServiceServer
	log *slog.Logger
}

func (b *bank) Store(ctx context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	b.log.InfoContext(ctx, "transfer executed", "caller", chassis.CallerOf(ctx).ID, "to_account", "DE02120300000000202051", "memo", in.GetHow())
	return nil, status.Error(codes.FailedPrecondition, "the account is closed")
}

// What a caller sends, in a credential or in a marked field, takes nothing out of the log: neither
// what the chassis has proved nor what the service wrote.
func TestCallersEraseNothing(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			out := &capture{TB: t}
			svc := chassistest.Start(out, chassis.Service{Name: "vault", Setup: func(ctx context.Context, app *chassis.App) error {
				vaultv1.RegisterVaultServiceServer(app, &bank{log: app.Logger()})
				app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
				return nil
			}}, chassistest.Options{Env: env{"CHASSIS_LOG_FORMAT": format}})
			words := []string{
				"spiffe://test/mallory", "transfer executed", "DE02120300000000202051", "vault.v1.VaultService/Store", "FAILED_PRECONDITION",
				"the account is closed", "to_account", "call", "INFO", "not declared for it",
			}
			ctx := t.Context()
			for _, word := range words {
				ctx = metadata.AppendToOutgoingContext(ctx, "x-token", word, "cookie", "a="+word, "authorization", word)
			}
			client := vaultv1.NewVaultServiceClient(svc.ConnAs("mallory"))
			_, err := client.Store(ctx, &vaultv1.StoreRequest{How: "first", Card: words[0], Load: &vaultv1.Secrets{List: words}})
			if got := status.Convert(err).Message(); got != "the account is closed" {
				t.Errorf("answered %q", got)
			}
			if _, err := client.Watch(ctx, &vaultv1.WatchRequest{}); err != nil { // nobody implements it
				t.Error(err)
			}
			upload, err := client.Upload(ctx) // mallory may not
			if err == nil {
				_, err = upload.CloseAndRecv()
			}
			if status.Code(err) != codes.PermissionDenied {
				t.Errorf("got %v", err)
			}
			var records []string
			for _, r := range svc.Logs() {
				records = append(records, fmt.Sprint(r))
			}
			svc.Stop()
			out.mu.Lock()
			defer out.mu.Unlock()
			for where, text := range map[string]string{"standard output": out.out.String(), "the sinks": strings.Join(records, "\n")} {
				expectAll(t, text, "transfer executed", "spiffe://test/mallory", "DE02120300000000202051", "vault.v1.VaultService/Store",
					"FAILED_PRECONDITION", "the account is closed", "vault.v1.VaultService/Upload", "PERMISSION_DENIED", "denied")
				if strings.Contains(text, "REDACTED") {
					t.Errorf("%s has a mask", where)
				}
			}
		})
	}
}

// A line that is too long is cut: what a caller sent does not take away what stands beside it.
func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		for _, sign := range []string{"x", "\x01", "\x7f", `"`, "é"} {
			out := &capture{TB: t}
			svc := chassistest.Start(out, chassis.Service{Name: "vault", Setup: func(_ context.Context, app *chassis.App) error {
				vaultv1.RegisterVaultServiceServer(app, &bank{log: app.Logger()})
				return nil
			}}, chassistest.Options{Env: env{"CHASSIS_LOG_FORMAT": format}})
			_, err := vaultv1.NewVaultServiceClient(svc.ConnAs("mallory")).Store(t.Context(), &vaultv1.StoreRequest{How: strings.Repeat(sign, 1_100_000/len(sign))})
			if status.Code(err) != codes.FailedPrecondition {
				t.Errorf("got %v", err)
			}
			svc.Stop()
			out.mu.Lock()
			expectAll(t, out.out.String(), "transfer executed", "spiffe://test/mallory", "DE02120300000000202051", "[cut, was ")
			if strings.Contains(out.out.String(), "lines dropped") {
				t.Errorf("%s, %q: lines are dropped", format, sign)
			}
			out.mu.Unlock()
		}
	}
}

// What a service prints into a text is its own word, and stays. The documentation says so; this is
// what it means.
func TestPrintedSecretsStay(t *testing.T) {
	out := &capture{TB: t}
	svc := chassistest.Start(out, chassis.Service{Name: "vault", Setup: func(_ context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, printing{log: app.Logger()})
		return nil
	}}, chassistest.Options{})
	_, err := vaultv1.NewVaultServiceClient(svc.ConnAs("keeper")).Store(t.Context(), &vaultv1.StoreRequest{Card: "4711", Pin: 4712})
	if text := fmt.Sprint(err); strings.Contains(text, "4711") || strings.Contains(text, "4712") || status.Code(err) != codes.Internal {
		t.Errorf("answered %s, want an id alone", text)
	}
	svc.Stop()
	out.mu.Lock()
	defer out.mu.Unlock()
	expectAll(t, out.out.String(), "charging 4711", "of 4712")
}

type printing struct {
	vaultv1.UnimplementedVaultServiceServer
	log *slog.Logger
}

func (p printing) Store(ctx context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	p.log.InfoContext(ctx, "charging "+in.GetCard())
	return nil, errors.New("of " + fmt.Sprint(in.GetPin()))
}
