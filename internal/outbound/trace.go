package outbound

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
	"github.com/betmakers/paddock/internal/traceid"
)

// startCallSpan gives the call a span if it is recorded.
func startCallSpan(ctx context.Context, c *clientCall) (context.Context, trace.SpanContext) {
	ctx, span, sc := startSpan(ctx, &c.method.peer.client.cfg, c.method.name)
	c.span = span
	return ctx, sc
}

// startSpan returns the trace for the called service. A recorded call has its own span. An
// unrecorded one, with a nil span, uses the span of ctx, or begins a trace outside of a call.
func startSpan(ctx context.Context, cfg *Config, name string) (context.Context, trace.Span, trace.SpanContext) {
	parent := trace.SpanContextFromContext(ctx)
	id := parent.TraceID()
	if !parent.IsValid() {
		id, _ = traceid.New()
	}
	if cfg.Tracer == nil || cfg.Sampled == nil || !cfg.Sampled(parent, id) {
		return ctx, nil, unrecorded(cfg, parent, id)
	}
	started := traceid.With(ctx, &traceid.IDs{Trace: id, Span: traceid.NewSpan()})
	ctx, span := cfg.Tracer.Start(started, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, span, span.SpanContext()
}

// unrecorded is the trace that an unrecorded call forwards. A service that records nothing
// forwards the caller's flags unchanged, because others may record.
func unrecorded(cfg *Config, parent trace.SpanContext, id trace.TraceID) trace.SpanContext {
	switch {
	case !parent.IsValid():
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: traceid.NewSpan()})
	case cfg.Tracer == nil:
		return parent
	default:
		return parent.WithTraceFlags(parent.TraceFlags() &^ trace.FlagsSampled)
	}
}

// inject returns ctx with the W3C headers of the trace and of the baggage in it, and with the
// worth of the served call.
func inject(ctx context.Context, cfg *Config, sc trace.SpanContext, within served.Call) context.Context {
	var room [8]string
	headers := room[:0]
	if !cfg.IgnoreTraceContext {
		headers = append(headers, "traceparent", traceid.Format(sc))
		if state := sc.TraceState(); state.Len() > 0 {
			headers = append(headers, "tracestate", state.String())
		}
	}
	if !cfg.IgnoreBaggage {
		if members := baggage.FromContext(ctx).String(); members != "" {
			headers = append(headers, "baggage", members)
		}
	}
	if within != nil {
		if worth := within.Criticality(); worth != contract.Normal {
			headers = append(headers, served.CriticalityHeader, worth.String())
		}
	}
	if len(headers) == 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, headers...)
}

// injectHTTP sets the W3C headers of the trace, with room for the value of the first.
func injectHTTP(cfg *Config, header http.Header, sc trace.SpanContext, value []string) {
	if cfg.IgnoreTraceContext {
		return
	}
	value[0] = traceid.Format(sc)
	header["Traceparent"] = value
	if state := sc.TraceState(); state.Len() > 0 {
		header["Tracestate"] = []string{state.String()}
	} else {
		delete(header, "Tracestate")
	}
}
