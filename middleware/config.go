package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
)

// Config configures both halves. The zero value is usable: it logs nothing, registers no metrics
// and records no spans, and calls have the rules of their contracts.
type Config struct {
	// Logger gets one line for each finished call, and lines for panics and unknown errors. Nil
	// discards them. Lines are logged with the context of the call: they have trace_id and span_id
	// if its handler takes them from there, as that of [telemetry.Telemetry.Logger] does.
	Logger *slog.Logger
	// Registerer registers the metrics. Nil registers none.
	Registerer prometheus.Registerer
	// TracerProvider makes the spans, and its sampler decides which are recorded. Nil records
	// none. Trace headers are forwarded to other services in both cases.
	TracerProvider trace.TracerProvider

	// TrustDomain is the own SPIFFE trust domain, such as "example.org". Methods that declare no
	// callers are then open only to identities of this domain. If empty, they are open to every
	// caller.
	TrustDomain string
	// ReportOnly refuses no call for its identity or for overload. It logs would_refuse and
	// counts chassis_rpc_audited_total instead. Use it when callers are declared for the first
	// time.
	ReportOnly bool
	// Admission delays calls while the processors are overloaded, and refuses those that would be
	// answered too late. Only one Server of a process should use it.
	Admission bool

	// Timeout is the deadline of unary methods whose contract declares none. Zero means none.
	Timeout time.Duration
	// Validate, if not nil, checks each message before its handler receives it. An error without
	// a status is returned as INVALID_ARGUMENT. It is called concurrently.
	Validate func(proto.Message) error
}

// trustDomain is the form of a trust domain name in section 2.1 of the SPIFFE ID standard.
var trustDomain = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)

// check returns all that is wrong with the settings.
func (cfg *Config) check() error {
	var errs []error
	if cfg.TrustDomain != "" && !trustDomain.MatchString(cfg.TrustDomain) {
		errs = append(errs, fmt.Errorf("middleware: Config.TrustDomain is %q, expected the name of a SPIFFE trust domain, such as %q", cfg.TrustDomain, "example.org"))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, fmt.Errorf("middleware: Config.Timeout is %s, expected zero for none, or more", cfg.Timeout))
	}
	return errors.Join(errs...)
}

func (cfg *Config) tracer() trace.Tracer {
	if cfg.TracerProvider == nil {
		return nil
	}
	return cfg.TracerProvider.Tracer("github.com/betmakers/paddock/middleware")
}

// sampled starts a span for each call, and leaves the decision to the provider's sampler.
func sampled(trace.SpanContext, trace.TraceID) bool { return true }
