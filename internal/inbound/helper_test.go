package inbound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// The methods of the service that the tests serve: one of each shape.
const (
	unary        = "/test.v1.Test/Unary"
	serverStream = "/test.v1.Test/ServerStream"
	clientStream = "/test.v1.Test/ClientStream"
	bidiStream   = "/test.v1.Test/BidiStream"
)

type (
	message      = structpb.Struct // has maps, lists and messages within
	unaryFunc    = func(ctx context.Context, in *message) (*message, error)
	streamFunc   = func(stream grpc.ServerStream) error
	testHandlers struct {
		unary  unaryFunc
		stream streamFunc // of all three streams
	}
)

func echo(_ context.Context, in *message) (*message, error) { return in, nil }

// testService describes the service as protoc's plugin would.
func testService() *grpc.ServiceDesc {
	stream := func(impl any, s grpc.ServerStream) error { return impl.(testHandlers).stream(s) }
	return &grpc.ServiceDesc{
		ServiceName: "test.v1.Test",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: serveUnary}},
		Streams: []grpc.StreamDesc{
			{StreamName: "ServerStream", Handler: stream, ServerStreams: true},
			{StreamName: "ClientStream", Handler: stream, ClientStreams: true},
			{StreamName: "BidiStream", Handler: stream, ServerStreams: true, ClientStreams: true},
		},
	}
}

func serveUnary(impl any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	in := new(message)
	if err := decode(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return impl.(testHandlers).unary(ctx, in)
	}
	info := &grpc.UnaryServerInfo{Server: impl, FullMethod: unary}
	return interceptor(ctx, in, info, func(ctx context.Context, req any) (any, error) {
		return impl.(testHandlers).unary(ctx, req.(*message))
	})
}

// setup is what a test may change before its chain is made.
type setup struct {
	inbound.Config
	contract.Defaults
	server []grpc.ServerOption
	dial   []grpc.DialOption
}

// fixture is a chain with the test service, what it logs and what it counts.
type fixture struct {
	*inbound.Server
	desc     *grpc.ServiceDesc // wrapped
	registry *prometheus.Registry
	log      *logBuffer // of Logger
	lines    *logBuffer // of Lines
	setup    setup
}

// newChain makes a chain that logs in both ways, without a server.
func newChain(t testing.TB, handlers testHandlers, changes ...func(*setup)) *fixture {
	t.Helper()
	f := &fixture{registry: prometheus.NewPedanticRegistry(), log: new(logBuffer), lines: new(logBuffer)}
	f.setup.Config = inbound.Config{Logger: f.log.logger(), Lines: f.lines, Registerer: f.registry}
	for _, change := range changes {
		change(&f.setup)
	}
	var err error
	if f.Server, err = inbound.NewServer(f.setup.Config); err != nil {
		t.Fatal(err)
	}
	f.desc = f.wrap(t, testService(), handlers)
	return f
}

// wrap registers a further service.
func (f *fixture) wrap(t testing.TB, desc *grpc.ServiceDesc, handlers testHandlers) *grpc.ServiceDesc {
	t.Helper()
	wrapped, err := f.Wrap(desc, handlers, f.setup.Defaults)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// method returns the method of a name, to be served without a transport.
func (f *fixture) method(t testing.TB, name string) *inbound.Method {
	t.Helper()
	for _, m := range f.Methods() {
		if m.FullMethod == name {
			return m
		}
	}
	t.Fatalf("method %s is not registered", name)
	return nil
}

// serve runs the chain in a real gRPC server, in memory, and returns a connection to it. Check the
// leaks first.
func (f *fixture) serve(t testing.TB) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(append(f.setup.server, grpc.UnknownServiceHandler(f.Unknown), grpc.InTapHandle(f.Tap))...)
	server.RegisterService(f.desc, nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	}, f.setup.dial...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return conn
}

// start is newChain and serve, with a check for goroutines left behind.
func start(t *testing.T, handlers testHandlers, changes ...func(*setup)) (*fixture, *grpc.ClientConn) {
	t.Helper()
	leakcheck.Check(t)
	f := newChain(t, handlers, changes...)
	return f, f.serve(t)
}

// labels are pairs of name and value.
type labels map[string]string

// value returns the value of a counter or gauge, or the number of observations of a histogram; zero
// if there is none.
func (f *fixture) value(t testing.TB, name string, want labels) float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if v, ok := want[pair.GetName()]; ok && v != pair.GetValue() {
					continue series
				}
			}
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// wantValue fails the test unless the series that match have this value in sum.
func (f *fixture) wantValue(t testing.TB, name string, of labels, want float64) {
	t.Helper()
	if got := f.value(t, name, of); got != want {
		t.Errorf("%s%v = %v, want %v", name, of, got, want)
	}
}

// settle waits until no call runs: grpc-go tells a caller that its message cannot be read before
// the call has ended.
func (f *fixture) settle(t testing.TB) {
	t.Helper()
	f.until(t, "no call runs", func() bool { return f.value(t, inFlightMetric, nil) == 0 })
}

// until waits for what a server does behind its answer, for which there is no event, and fails the
// test where it never happens.
func (f *fixture) until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond) // bounded; the connections are real ones
	}
}

const (
	callsMetric    = "rpc_server_call_duration_seconds"
	rejectedMetric = "chassis_rpc_rejected_total"
	panicsMetric   = "chassis_panics_total"
	inFlightMetric = "chassis_rpc_in_flight"
	requestsMetric = "http_server_request_duration_seconds"
)

// logBuffer keeps what is logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// logger returns a logger of JSON lines that adds the trace, as the chassis's does.
func (b *logBuffer) logger() *slog.Logger {
	return slog.New(correlate{slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelInfo})})
}

// records returns the lines as decoded JSON; a line that is no JSON fails the test.
func (b *logBuffer) records(t testing.TB) []map[string]any {
	t.Helper()
	var records []map[string]any
	for line := range bytes.Lines([]byte(b.String())) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		records = append(records, record)
	}
	return records
}

// only returns the one record there is.
func (b *logBuffer) only(t testing.TB) map[string]any {
	t.Helper()
	records := b.records(t)
	if len(records) != 1 {
		t.Fatalf("%d lines logged, want one:\n%s", len(records), b)
	}
	return records[0]
}

type correlate struct{ slog.Handler }

func (h correlate) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()),
			slog.String("trace_flags", sc.TraceFlags().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// fields makes a message of pairs.
func fields(t testing.TB, values map[string]any) *message {
	t.Helper()
	m, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
