package outbound

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/contract"
)

// Config is what the client's side works with. The zero value of each field is usable: it leaves its part out.
type Config struct {
	// Logger is told of failed calls, at debug level. Nil discards.
	Logger *slog.Logger

	// Tracer, Sampled, IgnoreTraceContext and IgnoreBaggage are those of Config.
	Tracer                            trace.Tracer
	Sampled                           func(parent trace.SpanContext, id trace.TraceID) bool
	IgnoreTraceContext, IgnoreBaggage bool

	// Decode, if not nil, makes of the error of a call, which is never nil, what the caller gets: [Errors] without an
	// interceptor of its own.
	Decode func(error) error

	// Methods are those that can be told apart in metrics and spans. Calls of others count as `_OTHER`.
	Methods []*contract.Method

	// Registerer takes the metrics of the client's side. Nil leaves them unregistered.
	Registerer prometheus.Registerer
}
