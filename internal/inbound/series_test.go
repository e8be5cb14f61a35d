package inbound_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// series returns how many series a scrape would have.
func (f *fixture) series(t *testing.T) int {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			n += 1 + len(m.GetHistogram().GetBucket())
		}
	}
	return n
}

// A caller can invent names, but not series.
func TestInventedNamesAddNoSeries(t *testing.T) {
	const invented = 10_000
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo}, func(s *setup) { s.Requests = inbound.LogNone })
	conn := f.Conn(inbound.RESTConfig{})
	routes := http.NewServeMux()
	routes.HandleFunc("GET /horses/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := conn.Invoke(r.Context(), unary, new(message), new(message)); err != nil {
			t.Error(err)
		}
	})
	routes.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	handler := f.HTTP(routes, inbound.HTTPLimits{})
	ask := func(method, path string, change func(*http.Request)) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://example.com", nil)
		r.Method, r.URL.Path = method, path
		change(r)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	same := func(*http.Request) {}

	for name, call := range map[string]func(i int){
		"gRPC methods": func(i int) {
			m := fmt.Sprintf("/invented.v%d.Service/Method%d", i, i)
			_ = conn.Invoke(t.Context(), m, new(message), new(message))
		},
		"paths":              func(i int) { ask("GET", fmt.Sprintf("/invented/%d", i), same) },
		"parameters in path": func(i int) { ask("GET", fmt.Sprintf("/horses/%d", i), same) },
		"HTTP methods":       func(i int) { ask(fmt.Sprintf("INVENT%d", i), "/horses/1", same) },
		"status codes":       func(i int) { ask("GET", fmt.Sprintf("/status/%d", 600+i%300), same) },
		"hosts and agents": func(i int) {
			ask("GET", "/horses/1", func(r *http.Request) {
				r.Host = fmt.Sprintf("host%d.example.com", i)
				r.Header.Set("User-Agent", strings.Repeat("agent", i%5)+fmt.Sprint(i))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			call(0)
			first := f.series(t)
			for i := range invented {
				call(i + 1)
			}
			if n := f.series(t); n != first {
				t.Errorf("%d series after the first call, %d after %d more", first, n, invented)
			}
		})
	}
}
