package chassis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/ratelimit"
	"github.com/betmakers/paddock/internal/settings"
	"github.com/betmakers/paddock/middleware"
	"github.com/betmakers/paddock/telemetry"
)

var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// configure reads the settings and reports everything that is wrong with them at once.
func (i *instance) configure(ctx context.Context) (string, error) {
	var errs []error
	if !serviceName.MatchString(i.service.Name) {
		errs = append(errs, fmt.Errorf("Service.Name is %q; it must be lower-case letters, digits and dashes, begin with a letter, and have at most 63 characters", i.service.Name))
	}
	if i.service.Setup == nil {
		errs = append(errs, errors.New("Service.Setup is nil: it registers what the service serves"))
	}
	errs = append(errs, i.service.checkFields()...)
	environment, why := i.guessEnvironment()
	loader := settings.Loader{Lookup: i.lookuper(), Development: environment == development}
	own, err := loader.Load(ctx, &i.cfg)
	errs = append(errs, err)
	if why != "" {
		i.cfg.Environment, i.guessed = environment, why
		own[0].Value, own[0].Origin = environment, "guessed: "+why
	}
	errs = append(errs, withoutUnread(i.cfg.validate(), own)...)
	i.overrides, _ = contract.ParseOverrides(i.cfg.PolicyOverrides) // validate has told what is wrong with it
	i.rateLimits, _ = ratelimit.Parse(i.cfg.RateLimit)              // the same
	theirs, err := loader.Load(ctx, i.service.Config)
	errs = append(errs, err)
	for _, s := range theirs {
		if strings.HasPrefix(s.Name, "CHASSIS_") {
			errs = append(errs, fmt.Errorf("Service.Config names %s: CHASSIS_ variables are the chassis's own", s.Name))
		}
	}
	errs = append(errs, settings.Unknown(withoutTargets(i.environ()), "CHASSIS_", own)...)
	i.settings = append(own, theirs...)
	return i.cfg.Environment, errors.Join(errs...)
}

// withoutUnread leaves out the errors about settings whose values could not be read: they have been told of, and what
// stands in their place is not what the operator meant.
func withoutUnread(errs []error, own []settings.Setting) []error {
	return slices.DeleteFunc(errs, func(err error) bool {
		return slices.ContainsFunc(own, func(s settings.Setting) bool { return s.Unread && strings.Contains(err.Error(), s.Name) })
	})
}

// startTelemetry starts logs, traces and metrics, and what works with all of them.
func (i *instance) startTelemetry(ctx context.Context) (string, error) {
	stdout := logline.NewOutput(i.output())
	t, err := telemetry.Start(ctx, telemetry.Config{
		Service: i.service.Name, Version: i.service.Version, Environment: i.cfg.Environment, InstanceID: hostname(),
		LogLevel: i.cfg.LogLevel, LogFormat: i.logFormat(), Output: stdout, Getenv: i.getenv,
		SpanProcessors: i.harness.Processors, LogHandlers: i.harness.Handlers,
	})
	if err != nil {
		return "", err
	}
	if err := i.instrument(t, stdout); err != nil {
		return "", errors.Join(err, i.audit.Close(ctx), t.Shutdown(ctx))
	}
	i.telemetry, i.log = t, t.Logger()
	if i.ownsProcess {
		otel.SetTracerProvider(t.TracerProvider())
		otel.SetMeterProvider(t.MeterProvider())
		otel.SetTextMapPropagator(t.Propagator())
		i.libraries.use(i.log)
	}
	if i.harness.Registered != nil {
		i.harness.Registered(t.Registry())
	}
	for _, e := range i.eventsSoFar() {
		i.logEvent(e)
	}
	i.warnOfProtections()
	return "", nil
}

// instrument makes what logs, traces and measures.
func (i *instance) instrument(t *telemetry.Telemetry, stdout io.Writer) (err error) {
	registry := t.Registry()
	if i.health, err = health.New(health.Config{Logger: t.Logger(), Registerer: registry}); err != nil {
		return err
	}
	if err := i.openAuditLog(t, stdout); err != nil {
		return err
	}
	fields := t.Propagator().Fields()
	i.chain, err = middleware.NewServer(middleware.Config{
		Logger: t.Logger(), Lines: t.Lines(), Sinks: t.Sinks(), Requests: middleware.Requests(i.cfg.LogRequests),
		Tracer: i.tracer(t), TracerProvider: t.TracerProvider(), Sampled: t.Sampled,
		IgnoreTraceContext: !slices.Contains(fields, "traceparent"), IgnoreBaggage: !slices.Contains(fields, "baggage"),
		ForeignTraces: i.cfg.TraceTrust == traceAnyone, PlainTraces: i.development(),
		Tokens: i.service.Tokens, Validate: i.service.Validate, AuditOnly: i.cfg.Authorization == authorizationAudit,
		Admission: i.admission(), RateLimits: i.rateLimits, TrustedOrigins: i.cfg.TrustedOrigins,
		Audit: i.audit, Registerer: registry, Unary: i.service.UnaryInterceptors, Stream: i.service.StreamInterceptors,
	})
	if err != nil {
		return err
	}
	i.faults = fault.NewSet(i.chain, t.Logger())
	restarts, panics := catalog.WorkerRestarts.CounterVec(), catalog.Panics.CounterVec()
	err = errors.Join(registry.Register(restarts), catalog.Register(registry, &panics), i.metrics.register(registry, i))
	err = errors.Join(err, registry.Register(newProtectionCollector(i)))
	i.workers = newSupervisor(t.Logger(), restarts, panics)
	return err
}

// admission returns what holds calls back in an overload, nil where it is off.
func (i *instance) admission() *admission.Limiter {
	switch i.cfg.Admission {
	case admissionOn:
		i.limiter = admission.New()
	case admissionReport:
		i.limiter = admission.NewReporting()
	}
	return i.limiter
}

// tracer returns what records calls, nil where nothing would receive a span.
func (i *instance) tracer(t *telemetry.Telemetry) trace.Tracer {
	if !t.Recording() {
		return nil
	}
	return t.Tracer("github.com/betmakers/paddock")
}

func (i *instance) output() io.Writer {
	if i.harness.Output != nil {
		return i.harness.Output
	}
	return os.Stdout
}

// logFormat resolves auto: text for a person at a terminal, JSON for everything else.
func (i *instance) logFormat() string {
	if i.cfg.LogFormat != "auto" {
		return i.cfg.LogFormat
	}
	if file, ok := i.output().(*os.File); ok && isTerminal(file) {
		return "text"
	}
	return "json"
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	null, _ := os.Stat(os.DevNull) // a character device too
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && !os.SameFile(info, null)
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// setUp runs the service's Setup, and closes the registration.
func (i *instance) setUp(ctx context.Context) (string, error) {
	app := &App{instance: i, names: map[string]bool{}}
	i.mu.Lock()
	i.app = app
	i.mu.Unlock()
	defer i.telemetry.Settle() // what Setup has logged is there where it panics
	if err := app.setUp(ctx, i.service.Setup); err != nil {
		return "", err
	}
	i.registerOwnServices()
	if err := errors.Join(app.close(), app.checkRoutes(), i.checkOverrides(), i.findRoutes(), i.watchDials(), i.setFaults(ctx)); err != nil {
		return "", err
	}
	if i.harness.Methods != nil {
		var records []*contract.Method
		for _, m := range i.chain.Methods() {
			records = append(records, m.Method)
		}
		i.harness.Methods(records)
	}
	i.checkTargets()
	return fmt.Sprintf("%d methods", len(i.chain.Methods())), nil
}

// checkOverrides refuses overrides of methods that are not there, and tells of the others.
func (i *instance) checkOverrides() error {
	var names []string
	for _, m := range i.chain.Methods() {
		names = append(names, m.Name)
		if m.Overridden {
			i.log.Warn("policy overridden", "method", m.Name, "setting", "CHASSIS_POLICY_OVERRIDES",
				"timeout", m.Timeout.String(), "callers", m.Describe())
		}
	}
	if unused := i.overrides.Unused(names); len(unused) > 0 {
		return fmt.Errorf("CHASSIS_POLICY_OVERRIDES names methods that are not registered: %s", strings.Join(unused, ", "))
	}
	return nil
}

func (i *instance) startWorkers(context.Context) (string, error) {
	n := i.workers.start()
	return fmt.Sprintf("%d workers", n), nil
}

func (i *instance) checkHealth(ctx context.Context) (string, error) {
	i.health.Start(context.WithoutCancel(ctx))
	return fmt.Sprintf("%d checks", len(i.health.Status().Checks)), i.health.WaitFirst(ctx)
}

// becomeReady asks for traffic. A hard check that fails keeps the service unready until it passes.
func (i *instance) becomeReady(context.Context) (string, error) {
	i.health.MarkStarted()
	i.health.SetServing(true)
	if !i.health.Ready() {
		return "held back by a failing check", nil
	}
	return "", nil
}

func (i *instance) eventsSoFar() []Event {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

// environLookuper looks names up in a list as os.Environ returns it.
type environLookuper []string

func (e environLookuper) Lookup(key string) (string, bool) {
	for _, variable := range slices.Backward(e) {
		if name, value, ok := strings.Cut(variable, "="); ok && name == key {
			return value, true
		}
	}
	return "", false
}
