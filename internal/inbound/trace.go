package inbound

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/traceid"
)

// callTrace is the trace identity of a call. A call that is not recorded never enters the SDK, and still has ids that
// are logged and passed on.
type callTrace struct {
	passive  passiveSpan
	recorded trace.Span // nil if the call is not sampled
}

// passiveSpan is the span of a call that is not recorded: it has an identity and keeps nothing.
type passiveSpan struct {
	noop.Span
	context  trace.SpanContext
	provider trace.TracerProvider
}

func (s *passiveSpan) SpanContext() trace.SpanContext { return s.context }

func (s *passiveSpan) TracerProvider() trace.TracerProvider {
	if s.provider == nil {
		return s.Span.TracerProvider()
	}
	return s.provider
}

func (t *callTrace) span() trace.Span {
	if t.recorded != nil {
		return t.recorded
	}
	return &t.passive
}

func (t *callTrace) context() trace.SpanContext { return t.span().SpanContext() }

// begin continues the caller's trace, or starts one.
func (t *callTrace) begin(c *call) {
	obs := c.method.server.obs
	var parent, link trace.SpanContext
	if c.http != nil {
		parent = c.http.trace.context()
	} else {
		parent, link = remoteParent(c, obs)
	}
	if c.method.Quiet {
		traceID, spanID := newIDs(parent)
		t.pass(obs, parent, traceID, spanID)
		return
	}
	t.start(c.values(), obs, parent, link, c.method.Name)
}

// start gives the call its ids and, if it is sampled, a span of the SDK. The span is linked with link, if that is
// valid.
func (t *callTrace) start(ctx context.Context, obs *observer, parent, link trace.SpanContext, name string) {
	traceID, spanID := newIDs(parent)
	if !obs.sampled(parent, traceID) {
		t.pass(obs, parent, traceID, spanID)
		return
	}
	if parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, parent)
	}
	ctx = traceid.With(ctx, &traceid.IDs{Trace: traceID, Span: spanID})
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	if link.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	_, t.recorded = obs.cfg.Tracer.Start(ctx, name, options...)
}

// believes reports whether traceparent and baggage of the peer in ctx are taken as they come. Strangers could have
// every call of theirs recorded, and put into the baggage what services further in take for the mesh's own. So a peer
// that has proved no identity of the own trust domain gets a trace of its own, linked with the one that it names, as
// OpenTelemetry has it for public endpoints and W3C Trace Context allows it at a border. Where mutual TLS is off
// there is no border.
func (s *Server) believes(ctx context.Context) bool {
	if s.cfg.ForeignTraces || s.trustDomain == "" {
		return true
	}
	info, secured := authOf(ctx).(interface{ Identity() string })
	if !secured {
		return s.cfg.PlainTraces
	}
	return contract.InDomain(info.Identity(), s.trustDomain)
}

// newIDs returns the ids of a span below parent, or of a new trace where parent is not valid.
func newIDs(parent trace.SpanContext) (trace.TraceID, trace.SpanID) {
	traceID, spanID := traceid.New()
	if parent.IsValid() {
		traceID = parent.TraceID()
	}
	return traceID, spanID
}

// pass gives the call its ids and records nothing.
func (t *callTrace) pass(obs *observer, parent trace.SpanContext, traceID trace.TraceID, spanID trace.SpanID) {
	t.passive.provider = obs.cfg.TracerProvider
	t.passive.context = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceState: parent.TraceState(), TraceFlags: obs.unsampled(parent.TraceFlags()),
	})
}

// end finishes the span of a recorded call.
func (t *callTrace) end(c *call, out outcome) {
	if t.recorded == nil {
		return
	}
	t.recorded.SetAttributes(
		attribute.String("rpc.system.name", "grpc"),
		attribute.String("rpc.method", c.method.Name),
		attribute.String("rpc.status_code", rpcstatus.Name(out.code)),
	)
	if reason := c.reason(); reason != "" {
		t.recorded.SetAttributes(attribute.String("chassis.rejected", string(reason)))
	}
	if kind := errorType(out.code); kind != "" {
		t.recorded.SetAttributes(attribute.String("error.type", kind))
		t.recorded.SetStatus(otelcodes.Error, logline.Truncate(out.message()))
	}
	t.recorded.End()
}

// remoteParent reads the caller's W3C trace context from the metadata of a gRPC call, and puts the caller's baggage
// into the call's context. That of a caller which is not believed is no parent but a link, and its baggage is left out.
func remoteParent(c *call, obs *observer) (parent, link trace.SpanContext) {
	var traceparent, members string
	if !obs.cfg.IgnoreBaggage {
		members = list(metadata.ValueFromIncomingContext(c.parent, "baggage"))
	}
	if !obs.cfg.IgnoreTraceContext {
		traceparent = first(metadata.ValueFromIncomingContext(c.parent, "traceparent"))
	}
	if traceparent == "" && members == "" {
		return parent, link
	}
	believed := c.method.server.believes(c.parent)
	if members != "" && believed {
		c.rare.Store(&rareCall{baggage: withBaggage(c.stream.Context(), members)})
	}
	if traceparent == "" {
		return parent, link
	}
	return parentOrLink(believed, traceid.Parse(traceparent, list(metadata.ValueFromIncomingContext(c.parent, "tracestate"))))
}

func parentOrLink(believed bool, caller trace.SpanContext) (parent, link trace.SpanContext) {
	if believed {
		return caller, link
	}
	return parent, caller
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// list makes one header of several: callers and proxies may spread a list over them.
func list(values []string) string { return strings.Join(values, ",") }

// withBaggage returns ctx with the members of a W3C baggage header; ctx itself where there are none or the header is
// malformed.
func withBaggage(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	bag, err := baggage.Parse(header)
	if err != nil {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}
