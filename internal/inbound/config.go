package inbound

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// Config configures the chain. The zero value of each field is usable and leaves its part out.
type Config struct {
	// Logger gets panics and unknown errors, and the access log if Lines is nil. Nil discards.
	Logger *slog.Logger
	// Lines, if not nil, gets the access log as complete JSON lines, one per Write, in place of
	// Logger. Write must not block and must not keep the slice.
	Lines io.Writer
	// Sinks, if not nil, gets the access log in addition to Lines, for outputs other than
	// standard output.
	Sinks *slog.Logger
	// Requests selects the calls that are logged.
	Requests Requests

	// Tracer starts the spans of sampled calls. Nil records none.
	Tracer trace.Tracer
	// Sampled decides whether a call with this parent, or a zero one, is recorded. Nil records
	// none. It must not allocate, because it runs for every call.
	Sampled func(parent trace.SpanContext, id trace.TraceID) bool
	// TracerProvider is the provider of spans that are made from the span of an unrecorded call.
	TracerProvider trace.TracerProvider
	// IgnoreTraceContext and IgnoreBaggage ignore the W3C headers of that name, as
	// OTEL_PROPAGATORS may require.
	IgnoreTraceContext, IgnoreBaggage bool
	// ForeignTraces trusts these headers from every caller, PlainTraces from callers without TLS.
	// By default only callers of the own trust domain are trusted: the trace of another becomes a
	// link of a new one, and its baggage is left out. Where mutual TLS is off, all callers are
	// trusted.
	ForeignTraces, PlainTraces bool

	// Tokens, if not nil, verifies the bearer tokens of REST calls. Nil ignores them.
	Tokens TokenVerifier
	// AuditOnly admits callers that a method does not list, and records them in log and metric.
	AuditOnly bool
	// RateLimits bound the rate of each caller's calls. The first limit that lists the caller
	// applies. Nil limits no caller.
	RateLimits []ratelimit.Limit
	// TrustedOrigins are the sites, beside the service's own host, whose pages may make REST
	// calls in the name of a browser's user, such as "https://app.example.com".
	TrustedOrigins []string
	// CORSOrigins are the sites whose pages may call and read answers: "https://app.example.com",
	// "https://*.example.com", or "*" for all. Credentials of the browser need TrustedOrigins too.
	// Empty: none, and answers say nothing about CORS.
	CORSOrigins []string
	// Headers are the names of request header fields that handlers get as metadata under their
	// own name, in lower case.
	Headers []string
	// CompressFrom is the size in bytes from which complete JSON answers are compressed for
	// callers that ask for gzip. Zero compresses none.
	CompressFrom int
	// Middleware is the service's HTTP middleware, outermost first. It runs for REST and plain
	// HTTP inside of observe, and before the caller is identified.
	Middleware []func(http.Handler) http.Handler
	// Validate, if not nil, checks each message that a handler receives. Its error should be a
	// status; another one counts as INVALID_ARGUMENT. It is called concurrently.
	Validate func(proto.Message) error

	// Admission decides in an overload which calls run. Nil lets all calls run.
	Admission *admission.Limiter

	// Audit, if not nil, records each call that its policy selects. Nil records none.
	Audit *audit.Log

	// Sizes measures the messages of gRPC calls. It requires a codec that asks [Bound].
	Sizes bool

	// NativeHistograms adds native buckets to the histograms of durations.
	NativeHistograms bool
	// Registerer registers the metrics. Nil registers none.
	Registerer prometheus.Registerer

	// Unary and Stream are the service's own interceptors, outermost first. They run inside of
	// observe and deadline, for gRPC and REST alike.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

// Requests selects the calls with a line in the access log.
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

// enabled reports whether the log's level, which can change at run time, admits a line of the
// access log.
func (cfg *Config) enabled(ctx context.Context, level slog.Level) bool {
	return cfg.Logger == nil || cfg.Logger.Enabled(ctx, level)
}
