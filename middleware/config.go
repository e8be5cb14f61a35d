package middleware

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
)

// Config is what both halves work with. The zero value is usable: it observes nothing, and calls run as
// their contracts say.
type Config struct {
	// Logger gets one line for each finished call, panics and unknown errors. Nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics. Nil leaves them unregistered.
	Registerer prometheus.Registerer
	// TracerProvider makes the spans, and its sampler decides which are recorded. Nil records none. Trace
	// headers go on to other services in any case.
	TracerProvider trace.TracerProvider

	// TrustDomain is the own SPIFFE trust domain, such as "example.org". Methods that declare no callers are
	// then open to identities of this domain alone. Empty opens them to everybody.
	TrustDomain string
	// ReportOnly refuses nobody for what it is or for overload. It logs would_refuse and counts in
	// chassis_rpc_audited_total instead. Start with it when callers are declared for the first time.
	ReportOnly bool
	// Admission holds calls back while there is more to do than the processors can do, and refuses in an
	// overload those that would be too late. One Server of a process should have it.
	Admission bool

	// Timeout of unary methods whose contract declares none. Zero means none.
	Timeout time.Duration
	// Validate, if not nil, checks each message before its handler sees it. An error that is no status is
	// answered as INVALID_ARGUMENT. It is called concurrently.
	Validate func(proto.Message) error
}

func (cfg *Config) tracer() trace.Tracer {
	if cfg.TracerProvider == nil {
		return nil
	}
	return cfg.TracerProvider.Tracer("github.com/betmakers/paddock/middleware")
}

// sampled starts a span for each call: the provider's sampler decides.
func sampled(trace.SpanContext, trace.TraceID) bool { return true }
