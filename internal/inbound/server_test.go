package inbound_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// A chain without settings serves calls, and a service is wrapped before it is registered with
// grpc-go.
func ExampleServer_Wrap() {
	chain, err := inbound.NewServer(inbound.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	wrapped, err := chain.Wrap(testService(), testHandlers{unary: echo}, contract.Defaults{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(chain.Unknown))
	server.RegisterService(wrapped, nil)
	for _, m := range chain.Methods() {
		fmt.Println(m.Name, m.Kind())
	}
	// Output:
	// test.v1.Test/Unary unary
	// test.v1.Test/ServerStream server stream
	// test.v1.Test/ClientStream client stream
	// test.v1.Test/BidiStream bidirectional stream
}

func TestNewServerFailsWhereItsMetricsAreTaken(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := inbound.NewServer(inbound.Config{Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	if _, err := inbound.NewServer(inbound.Config{Registerer: registry}); err == nil {
		t.Error("a second chain on one registry is no error")
	}
}

// Panics are one metric of the whole service: whoever comes first registers it.
func TestPanicsAreCountedWithThoseOfOthers(t *testing.T) {
	leakcheck.Check(t)
	others := catalog.Panics.CounterVec()
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { panic("boom") }}, func(s *setup) {
		s.Registerer.MustRegister(others)
		others.WithLabelValues("worker").Inc()
	})
	_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
	f.wantValue(t, panicsMetric, labels{"where": "rpc"}, 1)
	f.wantValue(t, panicsMetric, nil, 2)
}

func TestStreamInterceptors(t *testing.T) {
	var order []string
	_, conn := start(t, testHandlers{stream: func(grpc.ServerStream) error { return nil }}, func(s *setup) {
		for _, name := range []string{"outer", "inner"} {
			s.Stream = append(s.Stream, func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
				order = append(order, fmt.Sprint(name, " ", info.FullMethod, " ", info.IsClientStream, info.IsServerStream))
				return next(srv, ss)
			})
		}
	})
	for _, method := range []string{serverStream, clientStream, bidiStream} {
		order = nil
		if err := drainStream(openStream(t, conn, method)); err != nil && method != clientStream {
			t.Error(err)
		}
		kind := fmt.Sprint(method != serverStream, method != clientStream)
		if want := "outer " + method + " " + kind + ", inner " + method + " " + kind; strings.Join(order, ", ") != want {
			t.Errorf("interceptors ran as %v, want %s", order, want)
		}
	}
}

func TestCallsOfAMethod(t *testing.T) {
	leakcheck.Check(t)
	err := status.Error(codes.NotFound, "")
	var f *fixture
	f = newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		if n := f.method(t, unary).InFlight(); n != 1 {
			t.Errorf("InFlight() = %d during a call", n)
		}
		return in, err
	}})
	m := f.method(t, unary)
	_ = m.Serve(nil, newFakeStream(t.Context()))
	err = nil
	_ = m.Serve(nil, newFakeStream(t.Context()))
	if ended, failed := m.Calls(); ended != 2 || failed != 1 || m.InFlight() != 0 {
		t.Errorf("Calls() = %d, %d with %d in flight, want 2, 1 and none", ended, failed, m.InFlight())
	}
}

// What reads a body at once asks how long it says it is, and believes it up to the limit.
func TestLengthOfABody(t *testing.T) {
	for name, tc := range map[string]struct {
		length, limit int64
		known         bool
	}{
		"announced": {10, 1000, true}, "without a limit": {10, 0, true}, "at the limit": {1000, 1000, true},
		"over the limit": {1001, 1000, false}, "not announced": {-1, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("body")))
			r.ContentLength = tc.length
			f := newChain(t, testHandlers{})
			f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				n, known := r.Body.(interface{ Len() (int, bool) }).Len()
				if known != tc.known || known && int64(n) != tc.length {
					t.Errorf("Len() = %d, %v, want %d, %v", n, known, tc.length, tc.known)
				}
			}), inbound.HTTPLimits{MaxBody: tc.limit}).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

func TestRoutingError(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{})
	url := f.serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inbound.WriteRoutingError(r.Context(), w, http.StatusMethodNotAllowed)
	}), inbound.HTTPLimits{})
	if p := ask(t, "PUT", url, nil).problem(t); p["title"] != "Method Not Allowed" || p["code"] != nil {
		t.Errorf("answered %v", p)
	}
}
