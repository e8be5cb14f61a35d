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
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/build"
	"github.com/betmakers/paddock/internal/catalog"
)

// Config says who emits the telemetry and how. Service and LogFormat are required.
type Config struct {
	// Service, Version, Environment and InstanceID become the resource attributes service.name, service.version,
	// deployment.environment.name and service.instance.id of everything exported. Empty ones are left out;
	// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over them. An empty Version is taken from the build.
	Service, Version, Environment, InstanceID string

	LogLevel  slog.Level // of all sinks, to begin with; the zero value is INFO
	LogFormat string     // of standard output: "json" or "text"

	Output io.Writer           // standard output; nil means os.Stdout. It is written by one goroutine.
	Getenv func(string) string // for the settings read here; nil means os.Getenv. The exporters read the process's own.

	SpanProcessors []sdktrace.SpanProcessor // see every sampled span, beside the exporter
	LogHandlers    []slog.Handler           // get every record, as Sinks do, but in the log call itself: they must not block
	Sinks          []Sink                   // of the service's own, beside standard output; Start owns them, also where it fails
}

// Telemetry is the logger, tracer and metric registry of one service. Its methods may be called concurrently, and
// after Shutdown, when logs and spans go nowhere.
type Telemetry struct {
	level  slog.LevelVar
	logger *slog.Logger
	sinks  *slog.Logger
	lines  io.Writer
	stdout *lineWriter

	sampler sampler
	// recordsNothing: no exporter and no processor would receive a span
	recordsNothing bool
	traces         *sdktrace.TracerProvider
	logs           *sdklog.LoggerProvider // nil without an exporter
	propagator     propagation.TextMapPropagator
	deliveries     []*delivery
	queues         []*sinkQueue

	registry *prometheus.Registry
	guard    *guard
	meters   *sdkmetric.MeterProvider
}

// Start makes the telemetry of a service and starts what empties its buffers; ctx bounds the start alone. Whoever
// calls it calls Shutdown. It fails, with everything that is wrong in one error, where the Config or an exporter
// setting cannot be used. Settings that OpenTelemetry wants ignored where unknown (sampler, propagators) are logged.
func Start(ctx context.Context, cfg Config) (*Telemetry, error) {
	cfg = cfg.withDefaults()
	env := &environment{get: cfg.Getenv}
	t := &Telemetry{sampler: env.sampler(), propagator: env.propagator()}
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
	if err := t.startMetrics(cfg, resource); err != nil {
		exporters.discard(ctx)
		return nil, fmt.Errorf("telemetry: %w", errors.Join(err, discardSinks(ctx, cfg.Sinks)))
	}
	diagnostics := t.startLogs(cfg, exporters.logs, env, resource)
	t.guard.log = t.logger
	t.startTraces(cfg, exporters.spans, env, resource, diagnostics)
	for _, w := range env.warnings {
		t.logger.WarnContext(ctx, w)
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
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Level returns the level of all sinks; setting it takes effect at once.
func (t *Telemetry) Level() *slog.LevelVar { return &t.level }

// Lines returns the way to standard output for a line that is JSON already: one Write is one line.
// It never fails or keeps the slice, and blocks as Settle does where the line begins with its time
// and the level ERROR, else not; a line that finds no room is dropped and counted. Control
// characters beyond those that JSON forbids are escaped. The line is not redacted, and not compared
// with Level: both are its author's duty. Lines is nil unless the log format is JSON.
func (t *Telemetry) Lines() io.Writer { return t.lines }

// Settle waits until the lines logged so far are on standard output, for at most 100 ms, and not at
// all while its reader is stalled. Lines of ERROR and above do so by themselves, so that the reason
// of a crash is there after it.
func (t *Telemetry) Settle() { t.stdout.settle() }

// Sinks returns a logger that feeds every sink but standard output, for whoever writes there by Lines. It is nil
// where there is no other sink.
func (t *Telemetry) Sinks() *slog.Logger { return t.sinks }

// TracerProvider returns the tracer provider of the service, for libraries that take one.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.traces }

// Tracer returns a tracer whose spans say that the instrumentation called name made them.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.traces.Tracer(name) }

// Recording reports whether anything would receive a sampled span.
func (t *Telemetry) Recording() bool { return !t.recordsNothing }

// Sampled tells whether a span of trace id under parent is recorded; parent is the zero value for a root. It is the
// decision that the tracer itself would take, without its price: no allocation. Where nothing would receive spans, no
// span is sampled; the caller's own flag should then be handed on as it came.
func (t *Telemetry) Sampled(parent trace.SpanContext, id trace.TraceID) bool {
	return t.sampler.decide(parent, id)
}

// Propagator carries trace context and baggage from and to other services.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return t.propagator }

// Registry returns the metric registry of the service, to gather from and for collectors that
// cannot go wrong. Others belong into Registerer.
func (t *Telemetry) Registry() *prometheus.Registry { return t.registry }

// Registerer returns the way into Registry for collectors that may go wrong. One that panics, or
// ends its goroutine, costs a scrape what it had not sent; one that takes longer than 5 s, or sends
// more than 100,000 series, is left out of it. The failure is logged, once a minute for each
// collector, and counted in chassis_collector_failures_total. A collector that hangs is not called
// again before it has returned. All this holds through prometheus.WrapRegistererWith and its like
// too, but not for a panic in a goroutine that the collector started itself, which ends the
// process.
func (t *Telemetry) Registerer() prometheus.Registerer { return t.guard }

// MetricsHandler serves the registry in the formats of Prometheus, exemplars included where OpenMetrics is asked for.
// Scrapes at the same time share one collection, of which more than eight are refused with 503; one that takes longer
// than 10 s is answered with 503.
func (t *Telemetry) MetricsHandler() http.Handler { return metricsHandler(t.guard) }

// MeterProvider returns the provider for libraries that measure with OpenTelemetry. Their metrics appear in Registry,
// with at most 2000 series each; what exceeds that is merged into one with otel_metric_overflow="true".
func (t *Telemetry) MeterProvider() *sdkmetric.MeterProvider { return t.meters }

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
