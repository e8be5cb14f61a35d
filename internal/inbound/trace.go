package inbound

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/traceid"
)

// callTrace is the trace identity of a call. An unrecorded call never enters the SDK, but has ids
// that are logged and forwarded.
type callTrace struct {
	passive  passiveSpan
	recorded trace.Span // nil if the call is not sampled
}

// passiveSpan is the span of an unrecorded call: it has an identity and keeps nothing.
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

// start sets the call's ids and, if it is sampled, starts a span of the SDK. A valid link is
// added to the span.
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

// newIDs returns the ids of a span below parent, or of a new trace if parent is not valid.
func newIDs(parent trace.SpanContext) (trace.TraceID, trace.SpanID) {
	traceID, spanID := traceid.New()
	if parent.IsValid() {
		traceID = parent.TraceID()
	}
	return traceID, spanID
}

// pass sets the call's ids and records nothing.
func (t *callTrace) pass(obs *observer, parent trace.SpanContext, traceID trace.TraceID, spanID trace.SpanID) {
	t.passive.provider = obs.cfg.TracerProvider
	t.passive.context = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceState: parent.TraceState(), TraceFlags: obs.unsampled(parent.TraceFlags()),
	})
}

// observe records elapsed, with the trace as exemplar if there is one to look at.
func (t *callTrace) observe(h catalog.HistogramChild, elapsed time.Duration) {
	if t.recorded == nil {
		h.Observe(elapsed.Seconds())
		return
	}
	sc := t.context()
	h.ObserveWithExemplar(elapsed.Seconds(), prometheus.Labels{
		"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
	})
}
