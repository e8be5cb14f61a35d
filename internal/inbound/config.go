package inbound

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// Config is what the chain works with. The zero value of each field is usable: it leaves its part out.
type Config struct {
	// Logger gets panics and unknown errors, and the access log where Lines is nil. Nil discards.
	Logger *slog.Logger
	// Lines, if not nil, takes the access log as finished JSON lines, one a Write, instead of Logger.
	// Write must not block and must not keep the slice.
	Lines io.Writer
	// Sinks, if not nil, takes the access log beside Lines: what does not end on standard output.
	Sinks *slog.Logger
	// Requests chooses the calls that leave a line.
	Requests Requests

	// Tracer starts the spans of sampled calls. Nil records none.
	Tracer trace.Tracer
	// Sampled decides whether a call that arrives with parent, or none, is recorded. Nil records none.
	// It must not allocate: it runs for every call.
	Sampled func(parent trace.SpanContext, id trace.TraceID) bool
	// TracerProvider is what spans made from the span of a call that is not recorded come from.
	TracerProvider trace.TracerProvider
	// IgnoreTraceContext and IgnoreBaggage leave out the W3C headers of that name, as OTEL_PROPAGATORS may say.
	IgnoreTraceContext, IgnoreBaggage bool
	// ForeignTraces takes these headers from every caller, and PlainTraces from those that come without TLS. Else
	// they are taken from callers of the own trust domain alone; another's trace becomes a link of a new one, and its
	// baggage is left out. Where mutual TLS is off they are taken from every caller in any case.
	ForeignTraces, PlainTraces bool

	// Tokens, if not nil, decides about the bearer tokens of REST calls. Nil ignores them.
	Tokens TokenVerifier
	// AuditOnly lets in the callers that a method does not name, and tells of them in log and metric.
	AuditOnly bool
	// RateLimits bound how often each caller may call, the first that names it. Nil bounds nobody.
	RateLimits []ratelimit.Limit
	// TrustedOrigins are the sites whose pages may call by REST in the name of a browser's user, such as
	// "https://app.example.com", beside those of the service's own host.
	TrustedOrigins []string
	// Validate, if not nil, checks each message that a handler receives. Its error should be a status; another one
	// counts as INVALID_ARGUMENT. It is called concurrently.
	Validate func(proto.Message) error

	// Admission decides which calls run while there is more to do than can be done. Nil lets all of them run.
	Admission *admission.Limiter

	// Audit, if not nil, takes a record of each call that its policy wants. Nil keeps none.
	Audit *audit.Log

	// Registerer takes the metrics of the chain. Nil leaves them unregistered.
	Registerer prometheus.Registerer

	// Unary and Stream are the service's own interceptors, outermost first. They run inside of observe and deadline,
	// for gRPC and REST alike.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

// Requests says which calls leave a line in the access log.
type Requests string

// Which calls are logged.
const (
	LogAll    Requests = "all"    // every call
	LogFailed Requests = "failed" // those with a code other than OK
	LogNone   Requests = "none"
)

func (r Requests) wants(code codes.Code) bool {
	switch r {
	case LogNone:
		return false
	case LogFailed:
		return code != codes.OK
	default:
		return true
	}
}

// enabled reports whether the log's level, which can change at run time, lets a line of the access log through.
func (cfg *Config) enabled(ctx context.Context, level slog.Level) bool {
	return cfg.Logger == nil || cfg.Logger.Enabled(ctx, level)
}
