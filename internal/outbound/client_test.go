package outbound_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/outbound"
	"github.com/betmakers/paddock/internal/traceid"
)

const clientMetric = "rpc_client_call_duration_seconds"

// clientSide is the client's side of a connection to the test service, what it counts and what it
// records.
type clientSide struct {
	*fixture // of the server, but with the client's registry
	spans    *tracetest.SpanRecorder
	conn     *grpc.ClientConn
}

// dialled calls the handlers through the pass, whose sampler is decide.
func dialled(t testing.TB, handlers testHandlers, decide func(trace.SpanContext, trace.TraceID) bool, changes ...func(*outbound.Config)) *clientSide {
	t.Helper()
	c := &clientSide{spans: tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(c.spans), sdktrace.WithIDGenerator(givenIDs{}))
	registry := prometheus.NewPedanticRegistry()
	unaryMethods, streams, err := contract.Compile(testService(), contract.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := outbound.Config{
		Tracer: provider.Tracer("test"), Sampled: decide, Methods: append(unaryMethods, streams...), Registerer: registry,
	}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := outbound.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.fixture = newChain(t, handlers, func(s *setup) { s.dial = client.DialOptions("tester", false) })
	c.conn = c.serve(t)
	c.registry = registry
	return c
}

func never(trace.SpanContext, trace.TraceID) bool { return false }

// received returns a handler that remembers the metadata of its calls.
func received(md *metadata.MD) testHandlers {
	return testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		*md, _ = metadata.FromIncomingContext(ctx)
		return in, nil
	}}
}

func TestClientMetrics(t *testing.T) {
	leakcheck.Check(t)
	c := dialled(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		if in.GetFields()["fail"] != nil {
			return nil, status.Error(codes.NotFound, "no such thing")
		}
		return in, nil
	}}, never)
	call := func(method string, in *message) error { return c.conn.Invoke(t.Context(), method, in, new(message)) }
	if err := call(unary, new(message)); err != nil {
		t.Fatal(err)
	}
	if err := call(unary, fields(t, map[string]any{"fail": true})); status.Code(err) != codes.NotFound {
		t.Errorf("got %v, want NOT_FOUND", err)
	}
	for i := range 10 {
		_ = call("/invented.Service/Method"+strings.Repeat("x", i), new(message))
	}
	for _, want := range []labels{
		{"rpc_method": unary[1:], "server_address": "tester", "rpc_status_code": "OK", "error_type": ""},
		{"rpc_method": unary[1:], "server_address": "tester", "rpc_status_code": "NOT_FOUND", "error_type": "NOT_FOUND"},
	} {
		c.wantValue(t, clientMetric, want, 1)
	}
	c.wantValue(t, clientMetric, labels{"rpc_method": "_OTHER", "error_type": "UNIMPLEMENTED"}, 10)
	c.wantValue(t, clientMetric, nil, 12)
}

func TestClientSpan(t *testing.T) {
	leakcheck.Check(t)
	var md metadata.MD
	c := dialled(t, received(&md), asParent)
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), parent)
	if err := c.conn.Invoke(ctx, unary, new(message), new(message)); err != nil {
		t.Fatal(err)
	}
	if err := c.conn.Invoke(ctx, "/test.v1.Test/Missing", new(message), new(message)); err == nil {
		t.Error("a method that is missing answers")
	}
	ended := c.spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want 2", len(ended))
	}
	span := ended[0]
	if span.SpanKind() != trace.SpanKindClient || span.Name() != unary[1:] || !span.Parent().Equal(parent) {
		t.Errorf("got %s %q below %v", span.SpanKind(), span.Name(), span.Parent())
	}
	if got, want := md.Get("traceparent"), "00-"+span.SpanContext().TraceID().String()+"-"+span.SpanContext().SpanID().String()+"-01"; len(got) != 1 || got[0] != want {
		t.Errorf("got the header %q, want %q", got, want)
	}
	if span.Status().Code != otelcodes.Unset || ended[1].Status().Code != otelcodes.Error {
		t.Errorf("got the statuses %v and %v", span.Status(), ended[1].Status())
	}
	attributes := attribute.NewSet(ended[1].Attributes()...)
	for key, want := range map[string]string{
		"rpc.method": "_OTHER", "rpc.status_code": "UNIMPLEMENTED", "error.type": "UNIMPLEMENTED", "server.address": "tester",
	} {
		if got, _ := attributes.Value(attribute.Key(key)); got.AsString() != want {
			t.Errorf("%s is %q, want %q", key, got.AsString(), want)
		}
	}
}

// What another service says of a call is as long as it likes: a span has its beginning.
func TestSpansBoundMessages(t *testing.T) {
	const long = 1 << 20
	fails := testHandlers{unary: func(context.Context, *message) (*message, error) {
		return nil, status.Error(codes.Unavailable, strings.Repeat("long", long/4))
	}}
	c := dialled(t, fails, asParent)
	served := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		return in, c.conn.Invoke(ctx, unary, in, new(message))
	}}, recording(c.spans, asParent))
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	if err := served.method(t, unary).Serve(nil, newFakeStream(ctx)); err == nil {
		t.Fatal("no error")
	}
	ended := c.spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want 2", len(ended))
	}
	for _, span := range ended {
		if got := span.Status().Description; len(got) > 1024 || got == "" {
			t.Errorf("%s: a description of %d bytes", span.Name(), len(got))
		}
	}
}

// A call that is not recorded hands the trace on all the same, and what it says about recording.
func TestClientHeaders(t *testing.T) {
	leakcheck.Check(t)
	state, _ := trace.ParseTraceState("a=1")
	member, _ := baggage.NewMember("race", "7")
	bag, _ := baggage.New(member)
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	below := func(ctx context.Context) context.Context {
		return baggage.ContextWithBaggage(trace.ContextWithSpanContext(ctx, parent), bag)
	}
	ids := "00-" + parent.TraceID().String() + "-" + parent.SpanID().String()
	for name, test := range map[string]struct {
		ctx                          func(context.Context) context.Context
		change                       func(*outbound.Config)
		traceparent, state, baggages string
	}{
		"not sampled":   {below, func(*outbound.Config) {}, ids + "-00", "a=1", "race=7"},
		"not recording": {below, func(cfg *outbound.Config) { cfg.Tracer = nil }, ids + "-01", "a=1", "race=7"},
		"no propagators": {below, func(cfg *outbound.Config) {
			cfg.IgnoreTraceContext, cfg.IgnoreBaggage = true, true
		}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var md metadata.MD
			c := dialled(t, received(&md), never, test.change)
			ctx := metadata.AppendToOutgoingContext(test.ctx(t.Context()), "own", "kept")
			if err := c.conn.Invoke(ctx, unary, new(message), new(message)); err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"traceparent": test.traceparent, "tracestate": test.state, "baggage": test.baggages, "own": "kept"} {
				if got := strings.Join(md.Get(key), ","); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if n := len(c.spans.Ended()); n != 0 {
				t.Errorf("%d spans, want none", n)
			}
		})
	}
}

// Outside of any call a trace begins, of which the headers tell.
func TestClientBeginsATrace(t *testing.T) {
	leakcheck.Check(t)
	for name, decide := range map[string]func(trace.SpanContext, trace.TraceID) bool{"sampled": always, "not sampled": never} {
		t.Run(name, func(t *testing.T) {
			var md metadata.MD
			c := dialled(t, received(&md), decide)
			if err := c.conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
				t.Fatal(err)
			}
			sc := traceid.Parse(strings.Join(md.Get("traceparent"), ""), "")
			if !sc.IsValid() || sc.IsSampled() != (name == "sampled") {
				t.Errorf("got %q", md.Get("traceparent"))
			}
		})
	}
}

// A stream is accounted for once, whichever way it ends.
func TestClientStreamEnds(t *testing.T) {
	leakcheck.Check(t)
	stop := errors.New("stop")
	for name, test := range map[string]struct {
		use  func(s grpc.ClientStream, cancel func(), closeConn func() error) error
		code string
	}{
		"read to its end": {func(s grpc.ClientStream, _ func(), _ func() error) error {
			for {
				if err := s.RecvMsg(new(message)); err != nil {
					return err
				}
			}
		}, "OK"},
		"failed": {func(s grpc.ClientStream, _ func(), _ func() error) error {
			if err := s.SendMsg(fields(t, map[string]any{"fail": true})); err != nil {
				return err
			}
			for {
				if err := s.RecvMsg(new(message)); err != nil {
					return stop
				}
			}
		}, "ABORTED"},
		"cancelled, half read": {func(s grpc.ClientStream, cancel func(), _ func() error) error {
			err := s.RecvMsg(new(message))
			cancel()
			return err
		}, "CANCELLED"},
		"cancelled and read": {func(s grpc.ClientStream, cancel func(), _ func() error) error {
			cancel()
			for {
				if err := s.RecvMsg(new(message)); err != nil {
					return stop
				}
			}
		}, "CANCELLED"},
		"abandoned until the connection is closed": {func(_ grpc.ClientStream, _ func(), closeConn func() error) error {
			return closeConn()
		}, "CANCELLED"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialled(t, testHandlers{stream: func(s grpc.ServerStream) error {
				in := new(message)
				if err := s.SendMsg(in); err != nil {
					return err
				}
				if name == "read to its end" {
					return nil
				}
				if err := s.RecvMsg(in); err != nil {
					return err
				}
				return status.Error(codes.Aborted, "as asked")
			}}, always)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, bidiStream)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.use(s, cancel, c.conn.Close); err != nil && err != io.EOF && err != stop { //nolint:errorlint // the values themselves
				t.Fatal(err)
			}
			eventually(t, func() bool { return c.value(t, clientMetric, nil) > 0 })
			cancel()
			_ = s.RecvMsg(new(message)) // after the end
			c.wantValue(t, clientMetric, nil, 1)
			c.wantValue(t, clientMetric, labels{"rpc_method": bidiStream[1:], "rpc_status_code": test.code}, 1)
			if n := len(c.spans.Ended()); n != 1 {
				t.Errorf("%d spans, want 1", n)
			}
		})
	}
}

// A stream that cannot be opened counts once too.
func TestClientStreamRefused(t *testing.T) {
	leakcheck.Check(t)
	c := dialled(t, testHandlers{}, always)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, serverStream); status.Code(err) != codes.Canceled {
		t.Errorf("got %v, want CANCELLED", err)
	}
	c.wantValue(t, clientMetric, nil, 1)
	c.wantValue(t, clientMetric, labels{"rpc_status_code": "CANCELLED"}, 1)
}

// Failures are for those who look closely; other calls leave no line at all.
func TestClientLog(t *testing.T) {
	leakcheck.Check(t)
	for level, want := range map[slog.Level]int{slog.LevelDebug: 1, slog.LevelInfo: 0} {
		lines := new(logBuffer)
		c := dialled(t, testHandlers{unary: echo}, never, func(cfg *outbound.Config) {
			cfg.Logger = slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: level}))
		})
		_ = c.conn.Invoke(t.Context(), unary, new(message), new(message))
		_ = c.conn.Invoke(t.Context(), "/test.v1.Test/Missing", new(message), new(message))
		if got := lines.records(t); len(got) != want || want > 0 && (got[0]["code"] != "UNIMPLEMENTED" || got[0]["peer"] != "tester") {
			t.Errorf("at %s: got %v, want %d lines", level, got, want)
		}
	}
}

// eventually waits for what happens in another goroutine.
func eventually(t testing.TB, happened func() bool) {
	t.Helper()
	for range 5000 {
		if happened() {
			return
		}
		time.Sleep(time.Millisecond) // bounded; the connections are real ones
	}
	t.Fatal("it has not happened")
}

// Callers get decoded errors, and metrics count what there was.
func TestClientDecodes(t *testing.T) {
	leakcheck.Check(t)
	handlers := testHandlers{
		unary:  func(context.Context, *message) (*message, error) { return nil, status.Error(codes.Aborted, "again") },
		stream: func(grpc.ServerStream) error { return status.Error(codes.Aborted, "again") },
	}
	c := dialled(t, handlers, never, func(cfg *outbound.Config) {
		cfg.Decode = func(err error) error {
			d, _ := decode(err)
			return d
		}
	})
	s, err := c.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(new(message)); err != nil {
		t.Fatal(err)
	}
	for where, err := range map[string]error{
		"unary": c.conn.Invoke(t.Context(), unary, new(message), new(message)), "stream": s.RecvMsg(new(message)),
	} {
		if d, ok := errors.AsType[*decoded](err); !ok || d.st.Code() != codes.Aborted {
			t.Errorf("%s: got %#v", where, err)
		}
	}
	c.wantValue(t, clientMetric, labels{"error_type": "ABORTED"}, 2)
}
