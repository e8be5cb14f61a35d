package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// counters returns every series of a counter with its value.
func (f *fixture) counters(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		if family.GetType().String() != "COUNTER" {
			continue
		}
		for _, m := range family.GetMetric() {
			all[fmt.Sprintf("%s%v", family.GetName(), m.GetLabel())] = m.GetCounter().GetValue()
		}
	}
	return all
}

// Prometheus does not see the first event of a counter that appears with it.
func TestCountersStartAtZero(t *testing.T) {
	leakcheck.Check(t)
	answers := map[string]error{"": nil}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		answers[code.String()] = status.Error(code, "")
	}
	f := newChain(t, testHandlers{
		unary: func(_ context.Context, in *message) (*message, error) {
			switch what := in.GetFields()["do"].GetStringValue(); what {
			case "panic":
				panic("planned")
			case "error":
				return nil, errors.New("no status")
			default:
				return in, answers[what]
			}
		},
		stream: func(stream grpc.ServerStream) error {
			in := new(message)
			if err := stream.RecvMsg(in); err != nil {
				return err
			}
			return answers[in.GetFields()["do"].GetStringValue()]
		},
	}, withRateLimit("100/m burst 60"))
	f.SetTrustDomain("test")
	route := f.Route(&contract.Method{Name: "GET /plain"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "panic" {
			panic("planned")
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	mux := http.NewServeMux()
	mux.Handle("GET /plain", route)
	url := f.serveHTTP(t, mux, inbound.HTTPLimits{})
	before := f.counters(t)
	for series, value := range before {
		if value != 0 {
			t.Errorf("%s starts at %v", series, value)
		}
	}

	conn := f.serve(t)
	call := func(ctx context.Context, method, what string) {
		_ = conn.Invoke(ctx, method, fields(t, map[string]any{"do": what}), new(message))
	}
	direct := func(ctx context.Context, method, what string) {
		stream := newFakeStream(ctx)
		stream.in = fields(t, map[string]any{"do": what})
		_ = f.method(t, method).Serve(nil, stream)
	}
	known := asPeer(t.Context(), "spiffe://test/web")
	gone, cancel := context.WithCancel(known)
	cancel()
	for what := range answers {
		direct(known, unary, what)
		direct(known, bidiStream, what)
	}
	direct(known, unary, "panic")
	direct(known, unary, "error")
	direct(gone, unary, "")
	call(t.Context(), unary, "") // without an identity
	call(t.Context(), "/no.such.Service/Method", "")
	f.inject(t, `{"method":"*","abort":"UNAVAILABLE","delay":"1ms"}`)
	direct(known, unary, "")
	f.SetFaults(nil)
	ask(t, "GET", url+"/plain", nil)
	ask(t, "GET", url+"/plain?panic", nil)
	for range 100 {
		direct(known, unary, "") // over the rate
	}
	f.settle(t)

	moved := 0
	for series, value := range f.counters(t) {
		if _, known := before[series]; !known && !strings.Contains(series, `value:"web"`) {
			t.Errorf("%s appeared with its first event", series)
		}
		if value > 0 {
			moved++
		}
	}
	if moved < 40 {
		t.Errorf("%d counters have moved, want the test to move more", moved)
	}
}

// The share of failures of a method that is well is 0, and not nothing.
func TestTheErrorRatioOfAHealthyMethodIsZero(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo})
	_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
	failed := 0
	for series, value := range f.counters(t) {
		if strings.HasPrefix(series, "chassis_rpc_calls_total") && strings.Contains(series, `value:"INTERNAL"`) && strings.Contains(series, `Test/Unary"`) {
			failed++
			if value != 0 {
				t.Errorf("%s is %v", series, value)
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d series of failures, want one", failed)
	}
	f.wantValue(t, "chassis_rpc_calls_total", labels{"rpc_method": "test.v1.Test/Unary", "rpc_status_code": "OK"}, 1)
}

// Health checks and reflection have no series, whatever becomes of them.
func TestQuietMethodsHaveNoSeries(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo})
	first := f.series(t)
	desc := testService()
	desc.ServiceName = "grpc.health.v1.Health"
	f.wrap(t, desc, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, status.Error(codes.Internal, "") }})
	m := f.method(t, "/grpc.health.v1.Health/Unary")
	_ = m.Serve(nil, newFakeStream(t.Context()))
	if n := f.series(t); n != first {
		t.Errorf("%d series more", n-first)
	}
	if ended, failed := m.Calls(); ended != 1 || failed != 1 {
		t.Errorf("%d calls of which %d failed, want one and one: the debug page shows them", ended, failed)
	}
}
