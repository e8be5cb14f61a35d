package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/betmakers/paddock/internal/catalog"
)

// newResource describes the service to collectors. With an error, the resource is incomplete but
// usable.
func newResource(ctx context.Context, cfg Config) (*sdkresource.Resource, error) {
	var own []attribute.KeyValue
	for _, a := range []attribute.KeyValue{
		attribute.String("service.name", cfg.Service),
		attribute.String("service.version", cfg.Version),
		attribute.String("deployment.environment.name", cfg.Environment),
		attribute.String("service.instance.id", cfg.InstanceID),
	} {
		if a.Value.AsString() != "" {
			own = append(own, a)
		}
	}
	resource, err := sdkresource.New(ctx,
		sdkresource.WithTelemetrySDK(),
		sdkresource.WithAttributes(own...),
		sdkresource.WithFromEnv(), // last, so it wins
	)
	if resource == nil {
		resource = sdkresource.NewSchemaless(own...)
	}
	return resource, err
}

// startTraces sets the tracer provider. Without a receiver of spans it samples nothing.
func (t *Telemetry) startTraces(cfg Config, exporter sdktrace.SpanExporter, env *environment, resource *sdkresource.Resource, diagnostics *slog.Logger) {
	if exporter == nil && len(cfg.SpanProcessors) == 0 {
		t.sampler, t.recordsNothing = nothing, true
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(resource),
		sdktrace.WithSampler(t.sampler),
		sdktrace.WithIDGenerator(idGenerator{}),
	}
	dropped := catalog.SpansDropped.CounterVec()
	exported := catalog.SpansExported.CounterVec()
	t.registry.MustRegister(dropped, exported)
	d := &delivery{
		signal: signalTraces, limit: env.positive("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize), log: diagnostics,
		exported: exported.WithLabelValues(), overflow: dropped.WithLabelValues("queue_full"), failed: dropped.WithLabelValues("export_failed"),
	}
	if exporter != nil {
		batches := sdktrace.NewBatchSpanProcessor(spanExporter{exporter, d}, sdktrace.WithMaxQueueSize(d.limit))
		options = append(options, sdktrace.WithSpanProcessor(redactSpans(spanQueue{batches, d})))
		t.deliveries = append(t.deliveries, d)
	}
	for _, p := range cfg.SpanProcessors {
		options = append(options, sdktrace.WithSpanProcessor(redactSpans(p)))
	}
	t.traces = sdktrace.NewTracerProvider(options...)
}

// spanQueue admits spans to the batches while there is room, and so can count dropped ones.
type spanQueue struct {
	sdktrace.SpanProcessor
	d *delivery
}

func (q spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() && q.d.admit() {
		q.SpanProcessor.OnEnd(s)
	}
}

// spanExporter reports the results of exports to its delivery. It returns no export errors,
// because the SDK would pass them to the process-wide error handler.
type spanExporter struct {
	sdktrace.SpanExporter
	d *delivery
}

func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.d.send(ctx, len(spans), func(ctx context.Context) error { return e.SpanExporter.ExportSpans(ctx, spans) })
	return nil
}
