package outbound_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/outbound"
)

// passing is a client with everything on and traces that are not recorded.
func passing(tb testing.TB, next http.RoundTripper) *http.Client {
	tb.Helper()
	f := everything(tb, 0, nil)
	client, err := outbound.NewClient(outbound.Config{
		Tracer: f.setup.Tracer, Sampled: f.setup.Sampled, Registerer: prometheus.NewPedanticRegistry(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	transport, err := client.RoundTripper("payments", next, 10*time.Second)
	if err != nil {
		tb.Fatal(err)
	}
	return &http.Client{Transport: transport}
}

// The pass costs what its deadline, its headers and its own request cost. The bare client has a
// timeout too: nobody should have one without.
func TestAllocationsOfTheHTTPClientsPass(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	url, transport := saysHello(t), network(t)
	allocations := func(client *http.Client) float64 {
		ctx := inTrace(t.Context())
		call := func() {
			response, err := client.Do(newRequest(t, ctx, "GET", url, ""))
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, response)
		}
		for range 100 {
			call()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const calls = 2000
		for range calls {
			call()
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / calls
	}
	bare, pass := allocations(&http.Client{Transport: transport, Timeout: 10 * time.Second}), allocations(passing(t, transport))
	t.Logf("bare %.1f, with the pass %.1f", bare, pass)
	if more := pass - bare; more > 8.5 { // half an allocation for what runs beside the calls
		t.Errorf("the pass allocates %.1f times more than %.1f, want at most 8", more, bare)
	}
}

func saysHello(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	tb.Cleanup(server.Close)
	return server.URL
}

func BenchmarkHTTPClient(b *testing.B) {
	url, transport := saysHello(b), network(b)
	for name, client := range map[string]*http.Client{
		"bare": {Transport: transport, Timeout: 10 * time.Second},
		"pass": passing(b, transport),
	} {
		b.Run(name, func(b *testing.B) {
			ctx := inTrace(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				response, err := client.Do(newRequest(b, ctx, "GET", url, ""))
				if err != nil {
					b.Fatal(err)
				}
				readAll(b, response)
			}
		})
	}
}
