package outbound

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/contract"
)

// Config configures the client's side. The zero value of each field is usable and leaves its part
// out.
type Config struct {
	// Logger logs failed calls, at debug level. Nil discards.
	Logger *slog.Logger

	// Tracer, Sampled, IgnoreTraceContext and IgnoreBaggage are as in the Config of package
	// inbound.
	Tracer                            trace.Tracer
	Sampled                           func(parent trace.SpanContext, id trace.TraceID) bool
	IgnoreTraceContext, IgnoreBaggage bool

	// Decode, if not nil, converts the error of a call, which is never nil, for the caller: like
	// [Errors], but without an interceptor of its own.
	Decode func(error) error

	// Methods are distinguished in metrics and spans. Calls of other methods count as `_OTHER`.
	Methods []*contract.Method

	// NativeHistograms adds native buckets to the histograms of durations.
	NativeHistograms bool
	// Registerer registers the metrics of the client's side. Nil registers none.
	Registerer prometheus.Registerer
}
