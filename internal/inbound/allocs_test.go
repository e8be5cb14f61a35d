package inbound_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/betmakers/paddock/internal/race"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/inbound"
)

// everything is the chain with all its parts at work: metrics, traces of which a share is recorded,
// lines.
func everything(tb testing.TB, share float64, lines io.Writer) *fixture {
	tb.Helper()
	limit := uint64(share * (1 << 63))
	sampled := func(_ trace.SpanContext, id trace.TraceID) bool { return binary.BigEndian.Uint64(id[8:])>>1 < limit }
	return newChain(tb, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, nil }},
		recording(dropSpans{}, sampled),
		withTimeout(10e9),
		func(s *setup) {
			s.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
			if s.Lines = lines; lines == nil {
				s.Requests = inbound.LogNone
			}
		})
}

// dropSpans is an exporter that costs nothing.
type dropSpans struct{}

func (dropSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropSpans) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropSpans) Shutdown(context.Context) error                  { return nil }
func (dropSpans) ForceFlush(context.Context) error                { return nil }

// reused is a transport that one call after another comes in by, from a caller who traces.
type reused struct{ fakeStream }

func newReused(tb testing.TB) *reused {
	ctx := asPeer(tb.Context(), "spiffe://betmakers/client")
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("user-agent", "grpc-go"))
	return &reused{*newFakeStream(ctx)}
}

// A call that is not recorded costs the call itself, the method value that reads its message and
// the message.
func TestAllocationsOfThePass(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	f := everything(t, 0, io.Discard)
	m, stream := f.method(t, unary), newReused(t)
	allocs := testing.AllocsPerRun(1000, func() {
		stream.unread = true
		if err := m.Serve(nil, stream); err != nil {
			t.Error(err)
		}
	})
	const ofTheHandler = 1 // the message, which generated code allocates with or without the chain
	if allocs-ofTheHandler > 2 {
		t.Errorf("the pass allocates %v times, want at most 2", allocs-ofTheHandler)
	}
}

// Faults and rate limits cost nothing where there are none, and a limit that holds allocates
// nothing either.
func TestAllocationsOfFaultsAndRateLimits(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	count := func(f *fixture) float64 {
		m, stream := f.method(t, unary), newReused(t)
		return testing.AllocsPerRun(1000, func() {
			stream.unread = true
			if err := m.Serve(nil, stream); err != nil {
				t.Error(err)
			}
		})
	}
	f := newChain(t, testHandlers{unary: echo})
	without := count(f)
	f.inject(t, `{"method":"*","peer":"nobody","reset":true}`)
	if got := count(f); got > without {
		t.Errorf("a rule about others costs %v allocations", got-without)
	}
	f.SetFaults(nil)
	if got := count(f); got > without {
		t.Errorf("faults that have ended cost %v allocations", got-without)
	}
	if got := count(newChain(t, testHandlers{unary: echo}, withRateLimit("1000000/s"))); got > without {
		t.Errorf("a rate limit costs %v allocations", got-without)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, bc := range []struct {
		name  string
		share float64
		lines io.Writer
	}{
		{"unsampled/no-lines", 0, nil},
		{"unsampled/lines", 0, io.Discard},
		{"sampled-10%/no-lines", .1, nil},
		{"sampled-10%/lines", .1, io.Discard},
	} {
		b.Run(bc.name, func(b *testing.B) {
			f := everything(b, bc.share, bc.lines)
			m, stream := f.method(b, unary), newReused(b)
			b.ReportAllocs()
			for b.Loop() {
				stream.unread = true
				if err := m.Serve(nil, stream); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkREST is a request through HTTP's pass and the call's, with the ServeMux but without JSON
// or a network.
func BenchmarkREST(b *testing.B) {
	for name, share := range map[string]float64{"unsampled": 0, "sampled-10%": .1} {
		b.Run(name, func(b *testing.B) {
			f := everything(b, share, io.Discard)
			conn := f.Conn(inbound.RESTConfig{Timeout: 8e9, MaxMessage: 4 << 20})
			routes := http.NewServeMux()
			routes.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
				answer := new(message)
				if err := conn.Invoke(r.Context(), unary, new(message), answer); err != nil {
					b.Fatal(err)
				}
				_, _ = w.Write([]byte("{}"))
			})
			handler := f.HTTP(routes, inbound.HTTPLimits{MaxBody: 4 << 20})
			w, body := httptest.NewRecorder(), bytes.NewReader(nil)
			r := httptest.NewRequestWithContext(b.Context(), "POST", "/echo", body)
			b.ReportAllocs()
			for b.Loop() {
				w.Body.Reset()
				handler.ServeHTTP(w, r)
			}
		})
	}
}

// discarded is a ResponseWriter that costs nothing.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(p []byte) (int, error) { return len(p), nil }
func (d discarded) WriteHeader(int)             {}

// What a caller may ask for, and a handler may say, of the HTTP answer costs nothing where neither
// does: compression, SetHTTP and CORS are paid by those who use them.
func TestAllocationsOfTheRESTEdge(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	count := func(least int, origins ...string) float64 {
		f := newChain(t, testHandlers{unary: echo}, func(s *setup) { s.CompressFrom, s.CORSOrigins = least, origins })
		edge := new(inbound.Edge)
		mux, conn, err := f.Gateway(inbound.RESTConfig{Edge: edge})
		if err != nil {
			t.Fatal(err)
		}
		if err := mux.HandlePath("GET", "/echo", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
			_, out := gateway.MarshalerForRequest(mux, r)
			ctx, err := gateway.AnnotateContext(r.Context(), mux, r, unary, gateway.WithHTTPPathPattern("/echo"))
			answer := new(message)
			if err == nil {
				err = conn.Invoke(ctx, unary, fields(t, map[string]any{"text": "a"}), answer)
			}
			if err != nil {
				t.Fatal(err)
			}
			gateway.ForwardResponseMessage(ctx, mux, out, w, r, answer)
		}); err != nil {
			t.Fatal(err)
		}
		around, err := f.Surround(mux, edge)
		if err != nil {
			t.Fatal(err)
		}
		handler := f.HTTP(around, inbound.HTTPLimits{})
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/echo", nil)
		return testing.AllocsPerRun(200, func() { handler.ServeHTTP(discarded{http.Header{}}, r) })
	}
	without := count(0)
	if got := count(2048); got > without {
		t.Errorf("compression that nobody asks for costs %v allocations", got-without)
	}
	if got := count(2048, "https://app.example.com"); got > without+1 { // Vary
		t.Errorf("CORS costs %v allocations where no page asks", got-without)
	}
}
