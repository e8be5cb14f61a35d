package outbound_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/outbound"
)

func TestClientCountersStartAtZero(t *testing.T) {
	leakcheck.Check(t)
	registry := prometheus.NewPedanticRegistry()
	hedged := &contract.Method{FullMethod: "/test.v1.Test/Hedged", Name: "test.v1.Test/Hedged", HedgeAfter: 1e9}
	plain := &contract.Method{FullMethod: "/test.v1.Test/Plain", Name: "test.v1.Test/Plain"}
	client, err := outbound.NewClient(outbound.Config{Registerer: registry, Methods: []*contract.Method{hedged, plain}})
	if err != nil {
		t.Fatal(err)
	}
	want := func(refused, hedges int) {
		t.Helper()
		for name, n := range map[string]int{"chassis_rpc_client_refused_total": refused, "chassis_rpc_client_hedges_total": hedges} {
			if got, err := testutil.GatherAndCount(registry, name); err != nil || got != n {
				t.Errorf("%s has %d series, %v, want %d", name, got, err, n)
			}
		}
	}
	client.FromZero("wallet", []*contract.Method{plain, hedged})
	want(2, 3)

	// What is not known before begins with its first call, whatever becomes of that.
	conn, err := grpc.NewClient("passthrough:///nowhere", append(client.DialOptions("odds", false), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = conn.Invoke(ctx, plain.FullMethod, new(message), new(message))
	want(3, 3)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestHTTPClientCountersStartAtZero(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	client, err := outbound.NewClient(outbound.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.RoundTripper("payments", http.DefaultTransport, 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"chassis_http_client_retries_total": 5, "chassis_http_client_retries_withheld_total": 1} {
		if got, err := testutil.GatherAndCount(registry, name); err != nil || got != want {
			t.Errorf("%s has %d series, %v, want %d", name, got, err, want)
		}
	}
}
