package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/build"
	"github.com/betmakers/paddock/internal/catalog"
)

// Config configures Start. Service and LogFormat are required.
type Config struct {
	// Service, Version, Environment and InstanceID become the resource attributes service.name,
	// service.version, deployment.environment.name and service.instance.id of all exported data.
	// Empty ones are left out. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence. An
	// empty Version is read from the build.
	Service, Version, Environment, InstanceID string

	LogLevel  slog.Level // the first level of all sinks; the zero value is INFO
	LogFormat string     // of standard output: "json" or "text"

	// Output is standard output. Nil means os.Stdout. Only one goroutine writes to it.
	Output io.Writer

	// Getenv reads the settings of this package. Nil means os.Getenv. Exporters read the
	// environment of the process.
	Getenv func(string) string

	// SpanProcessors get every sampled span, in addition to the exporter.
	SpanProcessors []sdktrace.SpanProcessor

	// LogHandlers get every record, like Sinks, but in the log call itself: they must not block.
	LogHandlers []slog.Handler

	// Sinks are the service's own, in addition to standard output. Start closes them even if it
	// fails.
	Sinks []Sink
}

// Telemetry is the logger, tracer and metric registry of one service. Its methods may be called
// concurrently and after Shutdown. After it, logs and spans are dropped.
type Telemetry struct {
	level      slog.LevelVar
	logs       logs
	traces     traces
	metrics    metrics
	propagator propagation.TextMapPropagator
}

// Start makes the telemetry of a service and starts its goroutines. ctx bounds only the start.
// The caller must call Shutdown. If settings of the Config or an exporter are invalid, Start
// fails with all mistakes in one error. Unknown samplers and propagators are logged and ignored,
// as OpenTelemetry requires.
func Start(ctx context.Context, cfg Config) (*Telemetry, error) {
	cfg = cfg.withDefaults()
	env := &environment{get: cfg.Getenv}
	t := &Telemetry{propagator: env.propagator()}
	t.level.Set(cfg.LogLevel)

	exporters, err := newExporters(ctx, env)
	if err := errors.Join(cfg.check(), err); err != nil {
		exporters.discard(ctx)
		return nil, fmt.Errorf("telemetry: %w", errors.Join(err, discardSinks(ctx, cfg.Sinks)))
	}
	resource, err := newResource(ctx, cfg)
	if err != nil {
		env.warn("resource attributes are not used as given: %v", err)
	}
	if t.metrics, err = startMetrics(cfg, resource); err != nil {
		exporters.discard(ctx)
		return nil, fmt.Errorf("telemetry: %w", errors.Join(err, discardSinks(ctx, cfg.Sinks)))
	}
	t.logs = startLogs(cfg, &t.level, exporters.logs, env, resource, t.metrics.registry)
	t.metrics.guard.log = t.logs.logger
	t.traces = startTraces(cfg, exporters.spans, env, resource, t.metrics.registry, t.logs.diagnostics)
	for _, w := range env.warnings {
		t.logs.logger.WarnContext(ctx, w)
	}
	return t, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Output == nil {
		cfg.Output = os.Stdout
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Version == "" {
		cfg.Version = build.Read().Version
	}
	return cfg
}

func (cfg Config) check() error {
	errs := []error{checkSinks(cfg.Sinks)}
	if cfg.Service == "" {
		errs = append(errs, errors.New("the service's name is empty: set Config.Service"))
	}
	if cfg.LogFormat != formatJSON && cfg.LogFormat != formatText {
		errs = append(errs, fmt.Errorf("log format is %q, expected %q or %q", cfg.LogFormat, formatJSON, formatText))
	}
	return errors.Join(errs...)
}

// Logger returns the logger of the service, which feeds every sink.
func (t *Telemetry) Logger() *slog.Logger { return t.logs.logger }

// Level returns the level of all sinks. Setting it takes effect at once.
func (t *Telemetry) Level() *slog.LevelVar { return &t.level }

// Lines returns a writer to standard output for lines that are JSON already, nil unless the log
// format is JSON.
//
//   - One Write is one line. It always succeeds and does not keep the slice. A line that finds no
//     room is dropped and counted.
//   - It blocks like Settle if the line begins with its time and the level ERROR, else not at
//     all.
//   - Control characters that JSON allows are escaped.
//   - The line is not redacted and not compared with Level: the caller has to do both.
func (t *Telemetry) Lines() io.Writer { return t.logs.lines }

// Settle waits until the lines logged so far are on standard output, at most 100 ms. It does not
// wait while the reader is stalled. Lines of ERROR and above settle by themselves, so that the
// log has the reason of a crash.
func (t *Telemetry) Settle() { t.logs.stdout.settle() }

// Sinks returns a logger for all sinks but standard output, for callers that write there by
// Lines. It is nil if there is no other sink.
func (t *Telemetry) Sinks() *slog.Logger { return t.logs.others }

// TracerProvider returns the tracer provider of the service, for libraries that need one.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.traces.provider }

// Tracer returns a tracer for the instrumentation with that name.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.traces.provider.Tracer(name) }

// Recording reports whether a sampled span would be received by an exporter or a processor.
func (t *Telemetry) Recording() bool { return !t.traces.unread }

// Sampled reports whether a span of trace id under parent is recorded. Parent is the zero value
// for a root. It makes the same decision as the tracer, without an allocation. If nothing
// receives spans, it returns false; forward the caller's own flag unchanged in that case.
func (t *Telemetry) Sampled(parent trace.SpanContext, id trace.TraceID) bool {
	return t.traces.sampler.decide(parent, id)
}

// Propagator returns the propagator of trace context and baggage between services.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// Registry returns the metric registry of the service, for gathering and for collectors that
// cannot fail. Register others with Registerer.
func (t *Telemetry) Registry() *prometheus.Registry { return t.metrics.registry }

// Registerer returns a registerer for Registry that guards against faulty collectors.
//
//   - If a collector panics or ends its goroutine, the scrape lacks the series that it had not
//     yet sent.
//   - A collector that takes longer than 5 s or sends more than 100,000 series is left out of the
//     scrape.
//   - A collector that hangs is not called again before it has returned.
//   - Failures are logged, once a minute for each collector, and counted in
//     chassis_collector_failures_total.
//
// prometheus.WrapRegistererWith and similar functions may be used on it. A panic in a goroutine
// that the collector itself started ends the process.
func (t *Telemetry) Registerer() prometheus.Registerer { return t.metrics.guard }

// MetricsHandler serves the registry in the formats of Prometheus, with exemplars in OpenMetrics.
// Concurrent scrapes share one collection. More than eight at once are refused with 503, and a
// scrape that takes longer than 10 s is answered with 503.
func (t *Telemetry) MetricsHandler() http.Handler { return metricsHandler(t.metrics.guard) }

// MeterProvider returns the provider for libraries that measure with OpenTelemetry. Their metrics
// appear in Registry, with at most 2000 series each. Further series are merged into one with the
// label otel_metric_overflow="true".
func (t *Telemetry) MeterProvider() *sdkmetric.MeterProvider { return t.metrics.meters }

// Metric is an entry of the catalogue.
type Metric struct {
	Name      string
	Help      string
	Type      string                          // counter, gauge or histogram
	Unit      string                          // by Prometheus' convention: seconds, bytes, ratio; empty for a count
	Labels    []struct{ Name, Values string } // Values says which occur, and what bounds them
	Buckets   []float64                       // of a histogram: upper bounds in Unit
	Since     string                          // the version that it came with
	Stability string                          // stable: name, labels and unit hold within a major version; or experimental
}

// Catalogue lists every metric of the chassis, in the order of docs/metrics.md.
func Catalogue() []Metric {
	var all []Metric
	for _, m := range catalog.All() {
		public := Metric{
			Name: m.Name, Help: m.Help, Type: string(m.Type), Unit: m.Unit,
			Buckets: m.Buckets, Since: m.Since, Stability: string(m.Stability),
		}
		for _, label := range m.Labels {
			public.Labels = append(public.Labels, label)
		}
		all = append(all, public)
	}
	return all
}
