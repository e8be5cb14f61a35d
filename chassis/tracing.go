package chassis

import (
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// tracing is the tracing of incoming and outgoing calls.
type tracing struct {
	tracer             trace.Tracer // nil where nothing would receive a span
	ignoreTraceContext bool
	ignoreBaggage      bool
}

// tracingOf returns the tracing that the OTEL_ variables configure.
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
