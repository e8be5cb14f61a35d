package outbound_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/traceid"
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
	f.setup.Config = inbound.Config{Logger: slog.New(slog.NewJSONHandler(f.log, nil)), Lines: f.lines, Registerer: f.registry}
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
	for range 5000 {
		if f.value(t, "chassis_rpc_in_flight", nil) == 0 {
			return
		}
		time.Sleep(time.Millisecond) // there is no event of it
	}
	t.Fatal("a call still runs")
}

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

// fields makes a message of pairs.
func fields(t testing.TB, values map[string]any) *message {
	t.Helper()
	m, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// recording lets the chain record the calls that decide picks.
func recording(spans sdktrace.SpanProcessor, decide func(parent trace.SpanContext, id trace.TraceID) bool) func(*setup) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithIDGenerator(givenIDs{}))
	return func(s *setup) {
		s.Tracer, s.TracerProvider, s.Sampled = provider.Tracer("test"), provider, decide
	}
}

func always(trace.SpanContext, trace.TraceID) bool { return true }

func asParent(parent trace.SpanContext, _ trace.TraceID) bool { return parent.IsSampled() }

// givenIDs takes the ids that the chain has given, as the chassis's generator does.
type givenIDs struct{}

func (givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if id, span, ok := traceid.Take(ctx); ok {
		return id, span
	}
	return traceid.New()
}

func (givenIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, span := givenIDs{}.NewIDs(ctx)
	return span
}

// fakeStream is a transport that costs nothing: one message comes in, and what goes out is dropped.
type fakeStream struct {
	ctx    context.Context
	in     *message
	unread bool
	late   time.Duration // until the message comes
}

func newFakeStream(ctx context.Context) *fakeStream {
	return &fakeStream{ctx: ctx, in: new(message), unread: true}
}

func (s *fakeStream) Context() context.Context     { return s.ctx }
func (s *fakeStream) SetHeader(metadata.MD) error  { return nil }
func (s *fakeStream) SendHeader(metadata.MD) error { return nil }
func (s *fakeStream) SetTrailer(metadata.MD)       {}
func (s *fakeStream) SendMsg(any) error            { return nil }

func (s *fakeStream) RecvMsg(m any) error {
	if !s.unread {
		return io.EOF
	}
	s.unread = false
	time.Sleep(s.late) // of a bubble
	if len(s.in.Fields) > 0 {
		proto.Merge(m.(proto.Message), s.in)
	}
	return nil
}

// everything is the chain with all its parts at work: metrics, traces of which a share is recorded,
// lines.
func everything(tb testing.TB, share float64, lines io.Writer) *fixture {
	tb.Helper()
	limit := uint64(share * (1 << 63))
	sampled := func(_ trace.SpanContext, id trace.TraceID) bool { return binary.BigEndian.Uint64(id[8:])>>1 < limit }
	return newChain(tb, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, nil }},
		recording(dropSpans{}, sampled),
		func(s *setup) {
			s.Timeout = 10e9
			s.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
			if s.Lines = lines; lines == nil {
				s.Requests = inbound.LogNone
			}
		})
}

// dropSpans is an exporter that costs nothing.
type dropSpans struct{}

func (dropSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (dropSpans) OnEnd(sdktrace.ReadOnlySpan) {}

func (dropSpans) Shutdown(context.Context) error { return nil }

func (dropSpans) ForceFlush(context.Context) error { return nil }
