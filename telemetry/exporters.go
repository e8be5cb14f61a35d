package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporters are the exporters of the signals, nil for a signal without one.
type exporters struct {
	spans sdktrace.SpanExporter
	logs  sdklog.Exporter
}

// newExporters makes the exporters that the environment configures. They connect in the
// background.
func newExporters(ctx context.Context, env *environment) (exporters, error) {
	if err := env.check(); err != nil {
		return exporters{}, err
	}
	spans, spansErr := newExporter(ctx, env, signalTraces, autoexport.NewSpanExporter)
	logs, logsErr := newExporter(ctx, env, signalLogs, autoexport.NewLogExporter)
	return exporters{spans, logs}, errors.Join(spansErr, logsErr)
}

// newExporter makes the exporter of one signal. It returns the zero value if the signal is not
// exported.
func newExporter[E, O any](ctx context.Context, env *environment, signal string, create func(context.Context, ...O) (E, error)) (none E, err error) {
	if !env.exports(signal) {
		return none, nil
	}
	exporter, err := create(ctx)
	if err == nil {
		return exporter, nil
	}
	name := "OTEL_" + strings.ToUpper(signal) + "_EXPORTER"
	return none, fmt.Errorf("cannot export %s with %s=%q and OTEL_EXPORTER_OTLP_PROTOCOL=%q: %w",
		signal, name, env.value(name), env.value("OTEL_EXPORTER_OTLP_PROTOCOL"), err)
}

// discard closes unused exporters.
func (e exporters) discard(ctx context.Context) {
	if e.spans != nil {
		_ = e.spans.Shutdown(ctx) // nothing was sent, nothing can be lost
	}
	if e.logs != nil {
		_ = e.logs.Shutdown(ctx)
	}
}
