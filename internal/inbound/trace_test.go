package inbound_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/traceid"
)

const (
	traceHex = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanHex  = "00f067aa0ba902b7"
	parent00 = "00-" + traceHex + "-" + spanHex + "-00"
	parent01 = "00-" + traceHex + "-" + spanHex + "-01"
)

// recording lets the chain record the calls that decide picks.
func recording(spans sdktrace.SpanProcessor, decide func(parent trace.SpanContext, id trace.TraceID) bool) func(*setup) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithIDGenerator(givenIDs{}))
	return func(s *setup) {
		s.Tracer, s.TracerProvider, s.Sampled = provider.Tracer("test"), provider, decide
	}
}

func always(trace.SpanContext, trace.TraceID) bool            { return true }
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

// seen is what a handler finds in its context.
type seen struct {
	span     trace.SpanContext
	records  bool
	outgoing map[string]string // what a call made by the handler would carry
	bag      string
}

// look is a handler that reports what it finds.
func look(to *seen) unaryFunc {
	return func(ctx context.Context, in *message) (*message, error) {
		to.look(ctx)
		return in, nil
	}
}

func (s *seen) look(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	carrier := propagation.MapCarrier{}
	propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}).Inject(ctx, carrier)
	s.span, s.records, s.outgoing = span.SpanContext(), span.IsRecording(), carrier
	s.bag = baggage.FromContext(ctx).Member("tier").Value()
}

func withMetadata(ctx context.Context, pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// A caller from outside of the own trust domain decides neither whether a call is recorded nor what
// goes on to others. Its trace is linked, as OpenTelemetry has it for public endpoints.
func TestTraceOfStrangersIsALink(t *testing.T) {
	plain := peer.NewContext(t.Context(), &peer.Peer{})
	for name, tc := range map[string]struct {
		ctx       context.Context
		change    func(*setup)
		domain    string
		continued bool
	}{
		"own domain":              {asPeer(t.Context(), "spiffe://test/web"), nil, "test", true},
		"other domain":            {asPeer(t.Context(), "spiffe://other/web"), nil, "test", false},
		"domain that looks alike": {asPeer(t.Context(), "spiffe://test.evil/web"), nil, "test", false},
		"TLS without certificate": {asPeer(t.Context(), ""), nil, "test", false},
		"without TLS":             {plain, nil, "test", false},
		"no peer":                 {t.Context(), nil, "test", false},
		"without TLS, allowed":    {plain, func(s *setup) { s.PlainTraces = true }, "test", true},
		"no certificate, allowed": {asPeer(t.Context(), ""), func(s *setup) { s.PlainTraces = true }, "test", false},
		"anyone":                  {asPeer(t.Context(), "spiffe://other/web"), func(s *setup) { s.ForeignTraces = true }, "test", true},
		"mutual TLS is off":       {plain, nil, "", true},
	} {
		for _, sampled := range []bool{false, true} {
			leakcheck.Check(t)
			spans, saw := tracetest.NewSpanRecorder(), seen{}
			decide := asParent
			if sampled {
				decide = always
			}
			f := newChain(t, testHandlers{unary: look(&saw)}, recording(spans, decide), func(s *setup) {
				if tc.change != nil {
					tc.change(s)
				}
			}, policy(t, `{"public": true}`))
			f.SetTrustDomain(tc.domain)
			check := func(way string) {
				t.Helper()
				if continued := saw.span.TraceID().String() == traceHex; continued != tc.continued || !saw.span.IsValid() {
					t.Errorf("%s by %s: the handler's trace is %s", name, way, saw.span.TraceID())
				}
				if passedOn := saw.bag == "gold" && saw.outgoing["baggage"] != ""; passedOn != tc.continued {
					t.Errorf("%s by %s: the baggage is %q", name, way, saw.outgoing["baggage"])
				}
				if (saw.span.TraceState().String() == "vendor=1") != tc.continued {
					t.Errorf("%s by %s: the state is %q", name, way, saw.span.TraceState())
				}
				if saw.records != (tc.continued || sampled) {
					t.Errorf("%s by %s: recorded is %v", name, way, saw.records)
				}
				for _, span := range spans.Ended() {
					linked := len(span.Links()) == 1 && span.Links()[0].SpanContext.TraceID().String() == traceHex
					if outer := !span.Parent().IsValid() || span.Parent().IsRemote(); outer && linked == tc.continued {
						t.Errorf("%s by %s: links of %s are %v", name, way, span.Name(), span.Links())
					}
				}
				spans.Reset()
				saw = seen{}
			}
			incoming := metadata.NewIncomingContext(tc.ctx, metadata.Pairs("traceparent", parent01, "tracestate", "vendor=1", "baggage", "tier=gold"))
			_ = f.method(t, unary).Serve(nil, newFakeStream(incoming))
			check("gRPC")

			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(tc.ctx)
			r.Header = http.Header{"Traceparent": {parent01}, "Tracestate": {"vendor=1"}, "Baggage": {"tier=gold"}}
			f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_ = f.Conn(inbound.RESTConfig{}).Invoke(r.Context(), unary, new(message), new(message))
			}), inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
			check("REST")

			f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { saw.look(r.Context()) }),
				inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
			check("HTTP")
		}
	}
}

func TestTraceContinuesThatOfTheCaller(t *testing.T) {
	for name, tc := range map[string]struct {
		traceparent string
		decide      func(trace.SpanContext, trace.TraceID) bool
		ignore      bool
		continued   bool
		recorded    bool
		flags       string
	}{
		"sampled parent":                     {parent01, asParent, false, true, true, "01"},
		"unsampled parent":                   {parent00, asParent, false, true, false, "00"},
		"no parent":                          {"", asParent, false, false, false, "00"},
		"no parent, sampled here":            {"", always, false, false, true, "01"},
		"sampled parent, not sampled here":   {parent01, func(trace.SpanContext, trace.TraceID) bool { return false }, false, true, false, "00"},
		"nothing decides":                    {parent01, nil, false, true, false, "00"},
		"malformed parent":                   {"00-x", asParent, false, false, false, "00"},
		"trace context ignored":              {parent01, asParent, true, false, false, "00"},
		"trace context ignored, sampled too": {parent01, always, true, false, true, "01"},
	} {
		t.Run(name, func(t *testing.T) {
			spans, saw := tracetest.NewSpanRecorder(), seen{}
			f, conn := start(t, testHandlers{unary: look(&saw)}, recording(spans, tc.decide), func(s *setup) { s.IgnoreTraceContext = tc.ignore })
			ctx := t.Context()
			if tc.traceparent != "" {
				ctx = withMetadata(ctx, "traceparent", tc.traceparent, "tracestate", "vendor=1")
			}
			if err := conn.Invoke(ctx, unary, new(message), new(message)); err != nil {
				t.Fatal(err)
			}

			if continued := saw.span.TraceID().String() == traceHex; continued != tc.continued || !saw.span.IsValid() {
				t.Errorf("the handler's trace is %s; continued: %v, want %v", saw.span.TraceID(), continued, tc.continued)
			}
			if (saw.span.TraceState().String() == "vendor=1") != tc.continued {
				t.Errorf("the handler's trace state is %q", saw.span.TraceState())
			}
			if saw.span.SpanID().String() == spanHex || saw.span.IsRemote() {
				t.Errorf("the handler's span is the caller's: %v", saw.span)
			}
			if saw.records != tc.recorded || len(spans.Ended()) != map[bool]int{true: 1}[tc.recorded] {
				t.Errorf("recording: %v with %d spans, want %v", saw.records, len(spans.Ended()), tc.recorded)
			}
			want := "00-" + saw.span.TraceID().String() + "-" + saw.span.SpanID().String() + "-" + tc.flags
			if saw.outgoing["traceparent"] != want {
				t.Errorf("passed on: %q, want %q", saw.outgoing["traceparent"], want)
			}
			line := f.lines.only(t)
			if line["trace_id"] != saw.span.TraceID().String() || line["span_id"] != saw.span.SpanID().String() || line["trace_flags"] != tc.flags {
				t.Errorf("logged %v, want the handler's span %v", line, saw.span)
			}
			if tc.recorded {
				span := spans.Ended()[0]
				if span.SpanContext().SpanID() != saw.span.SpanID() || (span.Parent().SpanID().String() == spanHex) != tc.continued {
					t.Errorf("recorded %v with parent %v", span.SpanContext(), span.Parent())
				}
			}
		})
	}
}

// A service that records nothing leaves the caller's decision as it is, for those behind it.
func TestFlagsPassThroughAServiceWithoutTracer(t *testing.T) {
	var saw seen
	_, conn := start(t, testHandlers{unary: look(&saw)})
	if err := conn.Invoke(withMetadata(t.Context(), "traceparent", parent01), unary, new(message), new(message)); err != nil {
		t.Fatal(err)
	}
	if !saw.span.IsSampled() || saw.records || saw.span.TraceID().String() != traceHex {
		t.Errorf("the handler's span is %v, recording: %v", saw.span, saw.records)
	}
}

// A child of a call that is not recorded comes from the service's provider, so that it can be
// recorded after all.
func TestSpanOfAnUnrecordedCallKnowsItsProvider(t *testing.T) {
	leakcheck.Check(t)
	spans := tracetest.NewSpanRecorder()
	var made trace.TracerProvider
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		made = trace.SpanFromContext(ctx).TracerProvider()
		return in, nil
	}}, recording(spans, nil))
	if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Fatal(err)
	}
	if made != f.setup.TracerProvider {
		t.Errorf("TracerProvider() = %T, want that of the configuration", made)
	}
}

func TestSpansOfHandlerAreChildren(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	var f *fixture
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		_, span := f.setup.Tracer.Start(s.Context(), "work")
		span.End()
		return nil
	}}, recording(spans, always))
	stream := openStream(t, conn, bidiStream)
	if err := drainStream(stream); err != nil {
		t.Fatal(err)
	}
	ended := spans.Ended()
	if len(ended) != 2 || ended[0].Parent().SpanID() != ended[1].SpanContext().SpanID() || ended[1].Parent().IsValid() {
		t.Errorf("recorded %v, want work below the call", ended)
	}
}

func TestRecordedSpan(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		code   string
		status otelcodes.Code
		more   []attribute.KeyValue
	}{
		"ok":       {nil, "OK", otelcodes.Unset, nil},
		"mistake":  {status.Error(codes.NotFound, "no horse"), "NOT_FOUND", otelcodes.Unset, nil},
		"fault":    {status.Error(codes.Unavailable, "no stable"), "UNAVAILABLE", otelcodes.Error, []attribute.KeyValue{attribute.String("error.type", "UNAVAILABLE")}},
		"internal": {errors.New(secret), "INTERNAL", otelcodes.Error, []attribute.KeyValue{attribute.String("error.type", "INTERNAL")}},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			_, conn := start(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, tc.err }}, recording(spans, always))
			_ = conn.Invoke(t.Context(), unary, new(message), new(message))
			span := spans.Ended()[0]
			if span.Name() != "test.v1.Test/Unary" || span.SpanKind() != trace.SpanKindServer || span.Status().Code != tc.status {
				t.Errorf("recorded %s, %v, %v", span.Name(), span.SpanKind(), span.Status())
			}
			want := attribute.NewSet(append([]attribute.KeyValue{
				attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", "test.v1.Test/Unary"), attribute.String("rpc.status_code", tc.code),
			}, tc.more...)...)
			if got := attribute.NewSet(span.Attributes()...); !got.Equals(&want) {
				t.Errorf("attributes %v, want %v", got.ToSlice(), want.ToSlice())
			}
			if span.Status().Description == secret {
				t.Error("the span tells what the log alone may know")
			}
		})
	}
}

func TestRecordedSpanOfARefusal(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	_, conn := start(t, unreachable(t), recording(spans, always))
	_ = conn.Invoke(t.Context(), "/no.Such/Method", new(message), new(message))
	span := spans.Ended()[0]
	attributes := attribute.NewSet(span.Attributes()...)
	if reason, _ := attributes.Value("chassis.rejected"); reason.AsString() != "unknown_method" || span.Name() != "_OTHER" {
		t.Errorf("recorded %s with %v", span.Name(), span.Attributes())
	}
}

func TestBaggage(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		ignore bool
		want   string
	}{
		"passed":    {"tier=gold,other=1", false, "gold"},
		"ignored":   {"tier=gold", true, ""},
		"malformed": {"\x01;;=", false, ""},
		"none":      {"", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			var saw seen
			f := newChain(t, testHandlers{unary: look(&saw)}, func(s *setup) { s.IgnoreBaggage = tc.ignore })
			ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("baggage", tc.header))
			if err := f.method(t, unary).Serve(nil, newFakeStream(ctx)); err != nil {
				t.Fatal(err)
			}
			if saw.bag != tc.want {
				t.Errorf("the handler sees %q, want %q", saw.bag, tc.want)
			}
		})
	}
}

// Lists may be spread over several headers, by gRPC and by HTTP.
func TestListsInSeveralHeaders(t *testing.T) {
	leakcheck.Check(t)
	var saw seen
	f := newChain(t, testHandlers{unary: look(&saw)})
	headers := http.Header{"Traceparent": {parent01}, "Tracestate": {"a=1", "b=2"}, "Baggage": {"other=1", "tier=gold"}}
	incoming := metadata.MD{}
	for name, values := range headers {
		incoming.Append(name, values...)
	}
	if err := f.method(t, unary).Serve(nil, newFakeStream(metadata.NewIncomingContext(t.Context(), incoming))); err != nil {
		t.Fatal(err)
	}
	if saw.bag != "gold" || saw.span.TraceState().String() != "a=1,b=2" {
		t.Errorf("by gRPC: baggage %q, state %q", saw.bag, saw.span.TraceState())
	}
	saw = seen{}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
	r.Header = headers
	f.HTTP(f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
	if saw.bag != "gold" || saw.span.TraceState().String() != "a=1,b=2" {
		t.Errorf("by HTTP: baggage %q, state %q", saw.bag, saw.span.TraceState())
	}
}

// What a sampled call is measured as leads to its trace.
func TestExemplar(t *testing.T) {
	for name, decide := range map[string]func(trace.SpanContext, trace.TraceID) bool{"sampled": always, "not sampled": nil} {
		t.Run(name, func(t *testing.T) {
			var saw seen
			f, conn := start(t, testHandlers{unary: look(&saw)}, recording(tracetest.NewSpanRecorder(), decide))
			if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
				t.Fatal(err)
			}
			var traces []string
			families, err := f.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, family := range families {
				for _, m := range family.GetMetric() {
					for _, bucket := range m.GetHistogram().GetBucket() {
						for _, pair := range bucket.GetExemplar().GetLabel() {
							if pair.GetName() == "trace_id" {
								traces = append(traces, pair.GetValue())
							}
						}
					}
				}
			}
			if found := len(traces) == 1 && traces[0] == saw.span.TraceID().String(); found != (decide != nil) {
				t.Errorf("exemplars of traces %v; the call's is %s", traces, saw.span.TraceID())
			}
		})
	}
}
