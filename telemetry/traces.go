package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/prometheus/client_golang/prometheus"

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

// traces are the tracer provider and what it feeds.
type traces struct {
	provider *sdktrace.TracerProvider
	sampler  sampler
	unread   bool // no exporter and no processor would receive a span
	delivery *delivery
}

// startTraces makes the tracer provider. Without a receiver of spans it samples nothing.
func startTraces(
	cfg Config, exporter sdktrace.SpanExporter, env *environment, resource *sdkresource.Resource, registry *prometheus.Registry,
	diagnostics *slog.Logger,
) traces {
	t := traces{sampler: env.sampler()}
	if exporter == nil && len(cfg.SpanProcessors) == 0 {
		t.sampler, t.unread = nothing, true
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(resource),
		sdktrace.WithSampler(t.sampler),
		sdktrace.WithIDGenerator(idGenerator{}),
	}
	dropped := catalog.SpansDropped.CounterVec()
	exported := catalog.SpansExported.CounterVec()
	registry.MustRegister(dropped, exported)
	t.delivery = &delivery{
		signal: signalTraces, limit: env.positive("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize), log: diagnostics,
		exported: exported.WithLabelValues(), overflow: dropped.WithLabelValues("queue_full"), failed: dropped.WithLabelValues("export_failed"),
	}
	if exporter != nil {
		batches := sdktrace.NewBatchSpanProcessor(spanExporter{exporter, t.delivery}, sdktrace.WithMaxQueueSize(t.delivery.limit))
		options = append(options, sdktrace.WithSpanProcessor(redactSpans(spanQueue{batches, t.delivery})))
	}
	for _, p := range cfg.SpanProcessors {
		options = append(options, sdktrace.WithSpanProcessor(redactSpans(p)))
	}
	t.provider = sdktrace.NewTracerProvider(options...)
	return t
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
