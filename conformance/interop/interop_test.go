package interop

import (
	"context"
	"io"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/conformance/internal/known"
	"github.com/betmakers/paddock/conformance/internal/report"
	"github.com/betmakers/paddock/conformance/internal/serve"
)

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(failing{grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)})
	os.Exit(m.Run())
}

// name is that of the server, which App.Dial wants it to prove.
const name = "interop"

// Every case passes that grpc-go passes against itself, but for those on the list.
func TestInterop(t *testing.T) {
	list := known.Read(t, "differences.txt")
	counted := new(report.Table)
	counted.Row("client", "server", "transport", "passed", "failed", "known", "not applicable")
	for _, transport := range []string{"plaintext", "mutual TLS"} {
		t.Run(transport, func(t *testing.T) {
			var domain *serve.Domain
			if transport == "mutual TLS" {
				domain = serve.NewDomain(t)
			}
			reference := map[string]error{}
			for _, server := range []string{"grpc-go", "chassis"} {
				addr := startServer(t, server, domain)
				for _, from := range []string{"grpc-go", "chassis"} {
					pair := from + " to " + server
					results := runCases(t, connect(t, from, domain, addr))
					if pair == "grpc-go to grpc-go" {
						reference = results
					}
					passed, failed, knowns := hold(t, list, pair+" by "+transport, results, reference)
					counted.Row(from, server, transport, passed, failed, knowns, len(cases())-len(results))
				}
			}
		})
	}
	list.CheckUsed(t)
	counted.Write(t, "gRPC interop")
}

// hold holds what fails against the reference and the list.
func hold(t *testing.T, list *known.List, pair string, results, reference map[string]error) (passed, failed, knowns int) {
	t.Helper()
	for _, c := range cases() {
		err, ran := results[c.name]
		if !ran {
			continue
		}
		if err == nil {
			passed++
			continue
		}
		failed++
		if _, ok := list.Explain(pair, c.name+": "+err.Error()); ok {
			knowns++
		} else if reference[c.name] == nil {
			t.Errorf("%s: %s, which grpc-go passes: %v", pair, c.name, err)
		}
	}
	return passed, failed, knowns
}

func runCases(t *testing.T, c *client) map[string]error {
	t.Helper()
	results := map[string]error{}
	for _, one := range cases() {
		if one.name == "channel_soak" && c.another == nil {
			continue // App.Dial has one connection for each service
		}
		results[one.name] = one.try(t.Context(), c)
	}
	return results
}

// startServer serves upstream's implementation and returns its address.
func startServer(t *testing.T, kind string, domain *serve.Domain) string {
	t.Helper()
	if kind == "grpc-go" {
		options := []grpc.ServerOption{orca.CallMetricsServerOption(nil)}
		if domain != nil {
			options = append(options, grpc.Creds(credentials.NewTLS(domain.TLS(name))))
		}
		server := grpc.NewServer(options...)
		testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
		return serve.GRPC(t, server)
	}
	ports, err := serve.Chassis(t, chassis.Service{
		Name: name,
		Setup: func(_ context.Context, app *chassis.App) error {
			testgrpc.RegisterTestServiceServer(app, interop.NewTestServer())
			return nil
		},
	}, domain.Settings(name, nil))
	if err != nil {
		t.Fatal(err)
	}
	return ports.GRPC
}

// connect returns a client of the server at addr.
func connect(t *testing.T, kind string, domain *serve.Domain, addr string) *client {
	t.Helper()
	if kind == "grpc-go" {
		dial := func() *grpc.ClientConn { return dialPlain(t, domain, addr) }
		return &client{conn: dial(), another: dial}
	}
	var conn *grpc.ClientConn
	_, err := serve.Chassis(t, chassis.Service{
		Name: "caller",
		Setup: func(ctx context.Context, app *chassis.App) (err error) {
			conn, err = app.Dial(ctx, name)
			return err
		},
	}, domain.Settings("caller", map[string]string{"CHASSIS_INTEROP_TARGET": addr}))
	if err != nil {
		t.Fatal(err)
	}
	return &client{conn: conn}
}

func dialPlain(t *testing.T, domain *serve.Domain, addr string) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if domain != nil {
		creds = credentials.NewTLS(domain.TLS("caller"))
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
