package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporters are the ways out of the process; nil where a signal has none.
type exporters struct {
	spans sdktrace.SpanExporter
	logs  sdklog.Exporter
}

// newExporters makes the exporters that the environment asks for. They connect in the background.
func newExporters(ctx context.Context, env *environment) (exporters, error) {
	var e exporters
	var errs []error
	if env.exports(signalTraces) {
		var err error
		if e.spans, err = autoexport.NewSpanExporter(ctx); err != nil {
			e.spans = nil
			errs = append(errs, exporterError("TRACES", err))
		}
	}
	if env.exports(signalLogs) {
		var err error
		if e.logs, err = autoexport.NewLogExporter(ctx); err != nil {
			e.logs = nil
			errs = append(errs, exporterError("LOGS", err))
		}
	}
	return e, errors.Join(errs...)
}

func exporterError(signal string, err error) error {
	return fmt.Errorf("cannot use the exporter that OTEL_%s_EXPORTER and OTEL_EXPORTER_OTLP_* ask for: %w", signal, err)
}

// discard closes exporters that will not be used.
func (e exporters) discard(ctx context.Context) {
	if e.spans != nil {
		_ = e.spans.Shutdown(ctx) // nothing was sent, nothing can be lost
	}
	if e.logs != nil {
		_ = e.logs.Shutdown(ctx)
	}
}
