package chassis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// The first retry and the first failure of another service show: their counters are there before
// the first call, for the methods that are linked into the program and not its own.
func TestCountersOfDialledServicesStartAtZero(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}, func(app *chassis.App) {
		if _, err := app.Dial(context.WithoutCancel(t.Context()), "vault"); err != nil {
			t.Error(err)
		}
	}), env{"CHASSIS_VAULT_TARGET": "passthrough:///nowhere"})
	text := scrape(t, svc)
	expectAll(t, text,
		`chassis_rpc_client_attempts_total{rpc_method="vault.v1.VaultService/Store",rpc_status_code="UNAVAILABLE",server_address="vault"} 0`,
		`chassis_rpc_client_retries_total{reason="UNAVAILABLE",rpc_method="vault.v1.VaultService/Store",server_address="vault"} 0`,
		`chassis_rpc_client_refused_total{reason="spent",rpc_method="vault.v1.VaultService/Store",server_address="vault"} 0`)
	for _, own := range []string{"test.v1.EchoService", "grpc.health"} {
		if strings.Contains(text, `chassis_rpc_client_attempts_total{rpc_method="`+own) {
			t.Errorf("%s has counters of a client", own)
		}
	}
}
