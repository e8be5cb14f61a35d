package chassis

import (
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// tracing is how calls are traced, those that are served and those that are sent.
type tracing struct {
	tracer             trace.Tracer // nil where nothing would receive a span
	ignoreTraceContext bool
	ignoreBaggage      bool
}

// tracingOf reads it from what OTEL_* has set up.
func tracingOf(t *telemetry.Telemetry) tracing {
	fields := t.Propagator().Fields()
	tr := tracing{
		ignoreTraceContext: !slices.Contains(fields, "traceparent"),
		ignoreBaggage:      !slices.Contains(fields, "baggage"),
	}
	if t.Recording() {
		tr.tracer = t.Tracer("github.com/betmakers/paddock")
	}
	return tr
}
