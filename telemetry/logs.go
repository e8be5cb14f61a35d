package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	slogmulti "github.com/samber/slog-multi"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"

	"github.com/betmakers/paddock/internal/catalog"
)

const (
	formatJSON = "json"
	formatText = "text"
)

// logs are the loggers and what they feed.
type logs struct {
	logger *slog.Logger
	others *slog.Logger // for the sinks but standard output; nil if there are none
	lines  io.Writer    // nil unless the format is JSON
	stdout *lineWriter
	queues []*sinkQueue

	// diagnostics writes only to standard output. It is for reports about exporters, which would
	// otherwise feed the exporter that they are about.
	diagnostics *slog.Logger

	provider *sdklog.LoggerProvider // nil without an exporter
	delivery *delivery
}

// startLogs builds the pipeline.
func startLogs(
	cfg Config, level *slog.LevelVar, exporter sdklog.Exporter, env *environment, resource *sdkresource.Resource, registry *prometheus.Registry,
) (l logs) {
	dropped := catalog.LogLinesDropped.CounterVec()
	registry.MustRegister(dropped)
	l.stdout = newLineWriter(cfg.Output, dropped.WithLabelValues(stdoutSink), lostLines(cfg))
	if cfg.LogFormat == formatJSON {
		l.lines = finished{controlEscaper{cutter{l.stdout, true}}, l.stdout}
	}
	stdout := urgent{lineHandler(cfg, l.stdout), l.stdout}
	pipe := func(handlers ...slog.Handler) *slog.Logger {
		return slog.New(slogmulti.Pipe(correlation(level), redaction, distinction).Handler(slogmulti.Fanout(handlers...)))
	}
	l.diagnostics = pipe(stdout)

	var sinks []slog.Handler
	for _, s := range cfg.Sinks {
		q := newSinkQueue(s, dropped.WithLabelValues(s.Name), l.diagnostics)
		l.queues, sinks = append(l.queues, q), append(sinks, q.handler())
	}
	if len(cfg.LogHandlers) > 0 {
		safe := recovering(dropped.WithLabelValues(handlerSink), l.diagnostics)
		for _, h := range cfg.LogHandlers {
			sinks = append(sinks, safe(h))
		}
	}
	l.delivery = &delivery{signal: signalLogs, limit: env.positive("OTEL_BLRP_MAX_QUEUE_SIZE", 2048), log: l.diagnostics}
	if exporter != nil {
		l.delivery.overflow = dropped.WithLabelValues(otlpSink)
		l.delivery.failed = l.delivery.overflow
		batches := sdklog.NewBatchProcessor(logExporter{exporter, l.delivery}, sdklog.WithMaxQueueSize(l.delivery.limit))
		l.provider = sdklog.NewLoggerProvider(sdklog.WithResource(resource), sdklog.WithProcessor(logQueue{batches, l.delivery}))
		sinks = append([]slog.Handler{withoutIDs{otelslog.NewHandler("github.com/betmakers/paddock/telemetry", otelslog.WithLoggerProvider(l.provider))}}, sinks...)
	}
	if len(sinks) > 0 {
		l.others = pipe(sinks...)
	}
	l.logger = pipe(append([]slog.Handler{stdout}, sinks...)...)
	return l
}

// flush delivers what the exporter has been given.
func (l logs) flush(ctx context.Context) error {
	if l.provider == nil {
		return nil
	}
	return l.provider.ForceFlush(ctx)
}

// stop delivers it and stops the exporter.
func (l logs) stop(ctx context.Context) error {
	if l.provider == nil {
		return nil
	}
	return l.provider.Shutdown(ctx)
}

// lineHandler writes records in the format of standard output; it leaves the level to the pipeline.
func lineHandler(cfg Config, w io.Writer) slog.Handler {
	if cfg.LogFormat == formatText {
		return newConsole(cutter{w, false}, colours(cfg))
	}
	return slog.NewJSONHandler(controlEscaper{cutter{w, true}}, &slog.HandlerOptions{Level: everyLevel})
}

const everyLevel = slog.Level(-1 << 16)

// lostLines returns a function that makes the line about dropped lines.
func lostLines(cfg Config) func(int) []byte {
	return func(lost int) []byte {
		var line bytes.Buffer
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines dropped, standard output was not read", 0)
		r.Add("lines", lost)
		_ = lineHandler(cfg, &line).Handle(context.Background(), r) // a buffer takes everything
		return line.Bytes()
	}
}

// urgent writes records of WARN or above without delay. A record of ERROR or above is on standard
// output when Handle returns, because the next statement may end the process.
type urgent struct {
	slog.Handler
	w *lineWriter
}

func (h urgent) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	switch {
	case r.Level >= slog.LevelError:
		h.w.settle()
	case r.Level >= slog.LevelWarn:
		h.w.push()
	}
	return err
}

func (h urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgent{h.Handler.WithAttrs(attrs), h.w}
}
func (h urgent) WithGroup(name string) slog.Handler { return urgent{h.Handler.WithGroup(name), h.w} }

// finished accepts lines that are JSON already, and handles those of ERROR as urgent handles
// records.
type finished struct {
	out io.Writer
	w   *lineWriter
}

func (f finished) Write(line []byte) (int, error) {
	n, err := f.out.Write(line)
	if bytes.Contains(line[:min(len(line), levelWithin)], []byte(`"level":"ERROR`)) {
		f.w.settle()
	}
	return n, err
}

const levelWithin = 80 // bytes of a line, behind its time

// logQueue and logExporter are the counterparts of spanQueue and spanExporter for log records.
type logQueue struct {
	*sdklog.BatchProcessor
	d *delivery
}

func (q logQueue) OnEmit(ctx context.Context, r *sdklog.Record) error {
	if !q.d.admit() {
		return nil
	}
	return q.BatchProcessor.OnEmit(ctx, r)
}

type logExporter struct {
	sdklog.Exporter
	d *delivery
}

func (e logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	if len(records) > 0 {
		e.d.send(ctx, len(records), func(ctx context.Context) error { return e.Exporter.Export(ctx, records) })
	}
	return nil
}
