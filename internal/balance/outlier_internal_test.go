package balance

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/resolver"
)

// The policies of one peer count together, and what one of them has told leaves with it.
func TestPoliciesOfOnePeer(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	peer, err := NewPeer(Options{Peer: "test", Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want float64) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil || families[0].GetName() != "chassis_rpc_client_ejected" {
			t.Fatalf("got %v, %v, want the metric first", families, err)
		}
		if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("%v replicas are out, want %v", got, want)
		}
	}
	endpoints := []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: "a"}}}, {Addresses: []resolver.Address{{Addr: "b"}}}}
	one, other := newPolicy(peer, time.Now()), newPolicy(peer, time.Now())
	one.resolved(endpoints)
	one.judge.replicas[0].absence.out.Store(true)
	one.resolved(endpoints)
	want(1)
	other.resolved(endpoints)
	want(1)
	other.judge.replicas[1].absence.out.Store(true)
	other.resolved(endpoints)
	want(2)
	one.resolved(nil)
	want(1)
	other.resolved(nil)
	want(0)
}
