package inbound_test

import (
	"fmt"
	"testing"

	"github.com/betmakers/paddock/internal/inbound"
)

const callersMetric = "chassis_rpc_caller_calls_total"

func TestCallsByCaller(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo})
	f.SetTrustDomain("test")
	call := func(id string) { _ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), id))) }
	call("spiffe://test/web")
	call("spiffe://test/web")
	call("spiffe://other/web")
	_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
	for of, want := range map[[2]string]float64{
		{"web", "admitted"}: 2, {"web", "refused"}: 0, {"_OTHER", "refused"}: 1, {"", "refused"}: 1, {"", "admitted"}: 0,
	} {
		f.wantValue(t, callersMetric, labels{"caller": of[0], "result": of[1]}, want)
	}
}

func TestCallsByCallerInAuditMode(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo}, func(s *setup) { s.AuditOnly = true })
	f.SetTrustDomain("test")
	_ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), "spiffe://other/web")))
	f.wantValue(t, callersMetric, labels{"caller": "_OTHER", "result": "audited"}, 1)
}

// An authority can issue certificates of any names, and no more series than there is room for.
func TestManyCallersAddFewSeries(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo}, func(s *setup) { s.Requests = inbound.LogNone })
	f.SetTrustDomain("test")
	call := func(n int) {
		_ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), fmt.Sprintf("spiffe://test/service-%d", n))))
	}
	for n := range 50 {
		call(n)
	}
	first := f.series(t)
	for n := range 1000 {
		call(n)
	}
	if n := f.series(t); n != first {
		t.Errorf("%d series after 50 callers, %d after 1000", first, n)
	}
	f.wantValue(t, callersMetric, labels{"caller": "_OTHER"}, 950)
	f.wantValue(t, callersMetric, labels{"caller": "service-49"}, 2)
}
