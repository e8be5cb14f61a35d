package outbound_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/outbound"
)

// passOptions are those of a connection with everything on: the pass, decoded errors, traces that
// are not recorded, and what the chassis makes of a contract in gRPC's service config, a deadline
// and retries.
func passOptions(tb testing.TB, timeout time.Duration) []grpc.DialOption {
	tb.Helper()
	methods, _, err := contract.Compile(testService(), contract.Defaults{Timeout: timeout})
	if err != nil {
		tb.Fatal(err)
	}
	f := everything(tb, 0, nil)
	client, err := outbound.NewClient(outbound.Config{
		Tracer: f.setup.Tracer, Sampled: f.setup.Sampled, Methods: methods, Registerer: f.registry,
		Decode: func(err error) error { return err },
	})
	if err != nil {
		tb.Fatal(err)
	}
	if timeout == 0 {
		return client.DialOptions("tester", true)
	}
	return append(client.DialOptions("tester", true), grpc.WithDefaultServiceConfig(fmt.Sprintf(`{
		"retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1}, "methodConfig": [{"name": [{"service": "test.v1.Test"}],
		"timeout": "%.0fs", "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]}`, timeout.Seconds())))
}

// bareServer answers without a chain, so that the client's side is all that differs.
func bareServer(tb testing.TB, dial ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	server.RegisterService(testService(), testHandlers{unary: echo})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", append(dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-served
	})
	return conn
}

// inTrace is a context of a handler's, with the span of its call.
func inTrace(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
}

// The client's side costs at most six allocations more than gRPC's own, those of the header on its
// way and at the server included. Whoever calls without it sets the deadline himself. Within a call
// whose time ends before the contract's there is a second deadline, the one with the reserve, above
// gRPC's.
func TestAllocationsOfTheClientsPass(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	outside := func(do func(context.Context)) { do(inTrace(context.Background())) }
	inside := func(do func(context.Context)) { within(t, time.Hour, do) }
	for name, test := range map[string]struct {
		run      func(do func(context.Context))
		bare     time.Duration // the timeout that the bare client sets
		contract time.Duration // the timeout of the contract
		most     float64
	}{
		"without a deadline":             {outside, 0, 0, 6},
		"outside of a call":              {outside, time.Minute, time.Minute, 6},
		"within a call":                  {inside, time.Minute, time.Minute, 6},
		"within a call that ends before": {inside, time.Minute, 2 * time.Hour, 9},
	} {
		t.Run(name, func(t *testing.T) {
			bare := allocations(t, test.run, test.bare)
			pass := allocations(t, test.run, 0, passOptions(t, test.contract)...)
			t.Logf("bare %.1f, with the pass %.1f", bare, pass)
			if more := pass - bare; more > test.most+.5 { // half an allocation for what runs beside the calls
				t.Errorf("the pass allocates %.1f times more than %.1f, want at most %.0f", more, bare, test.most)
			}
		})
	}
}

// allocations returns those of a call, on both sides, which is made in run with a timeout of its
// own unless that is zero.
func allocations(t *testing.T, run func(do func(context.Context)), timeout time.Duration, dial ...grpc.DialOption) (each float64) {
	t.Helper()
	conn, in, out := bareServer(t, dial...), new(message), new(message)
	run(func(ctx context.Context) {
		call := func() {
			ctx := ctx
			if timeout > 0 {
				limited, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				ctx = limited
			}
			if err := conn.Invoke(ctx, unary, in, out); err != nil {
				t.Error(err)
			}
		}
		for range 100 {
			call()
		}
		var before, after runtime.MemStats // AllocsPerRun runs on one processor, which a server beside it does not stand
		runtime.ReadMemStats(&before)
		const calls = 2000
		for range calls {
			call()
		}
		runtime.ReadMemStats(&after)
		each = float64(after.Mallocs-before.Mallocs) / calls
	})
	return each
}

func BenchmarkClient(b *testing.B) {
	ctx := inTrace(b.Context())
	for name, dial := range map[string][]grpc.DialOption{"bare": nil, "pass": passOptions(b, time.Minute)} {
		b.Run(name, func(b *testing.B) {
			conn, in, out := bareServer(b, dial...), new(message), new(message)
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.Invoke(ctx, unary, in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
