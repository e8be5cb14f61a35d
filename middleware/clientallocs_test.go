package middleware_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/middleware"
)

// passOptions are those of a connection with everything on: the pass, decoded errors and traces that are not recorded.
func passOptions(tb testing.TB) []grpc.DialOption {
	tb.Helper()
	methods, _, err := contract.Compile(testService(), contract.Defaults{})
	if err != nil {
		tb.Fatal(err)
	}
	f := everything(tb, 0, nil)
	client, err := middleware.NewClient(middleware.ClientConfig{
		Tracer: f.setup.Tracer, Sampled: f.setup.Sampled, Methods: methods, Registerer: f.registry,
		Decode: func(err error) error { return err },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return client.DialOptions("tester")
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

// contractConfig is what the chassis makes of a contract: a deadline and retries.
const contractConfig = `{"retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1}, "methodConfig": [{"name": [{"service": "test.v1.Test"}],
	"timeout": "10s", "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
	"retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// The client's side costs at most six allocations more than gRPC's own, those of the header on its way included. Whoever
// calls without it sets the deadline himself.
func TestAllocationsOfTheClientsPass(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	outside := func(do func(context.Context)) { do(inTrace(context.Background())) }
	inside := func(do func(context.Context)) { within(t, time.Hour, do) }
	contract := grpc.WithDefaultServiceConfig(contractConfig)
	for name, test := range map[string]struct {
		run     func(do func(context.Context))
		timeout time.Duration // of the bare client
		config  []grpc.DialOption
	}{
		"without a deadline": {outside, 0, nil},
		"outside of a call":  {outside, 10 * time.Second, []grpc.DialOption{contract}},
		"within a call":      {inside, 10 * time.Second, []grpc.DialOption{contract}},
	} {
		t.Run(name, func(t *testing.T) {
			bare := allocations(t, test.run, test.timeout)
			pass := allocations(t, test.run, 0, append(passOptions(t), test.config...)...)
			t.Logf("bare %.1f, with the pass %.1f", bare, pass)
			if more := pass - bare; more > 6.5 { // half an allocation for what runs beside the calls
				t.Errorf("the pass allocates %.1f times more than %.1f, want at most 6", more, bare)
			}
		})
	}
}

// allocations returns those of a call, on both sides, which is made in run with a timeout of its own unless that is zero.
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
	for name, dial := range map[string][]grpc.DialOption{"bare": nil, "pass": passOptions(b)} {
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
