package chassis

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/cgroup"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/openapi"
	"github.com/betmakers/paddock/telemetry"
)

// instance is one run of a Service. It creates the parts and puts them in order. Each part has
// its own file, lock and close, and does not know the instance. The fields are in the order of
// their creation.
type instance struct {
	service     Service
	around      surroundings
	began       time.Time
	ownsProcess bool // Main: what is global may be set
	libraries   *libraryLogs

	life      *lifecycle
	cfg       configuration
	telemetry *telemetry.Telemetry
	log       *slog.Logger

	health      *health.Monitor
	audit       *audit.Log         // nil where it is off
	limiter     *admission.Limiter // nil: every call runs
	chain       *inbound.Server
	faults      *fault.Set // injected into chain
	protections protections
	workers     *supervisor

	identity identity
	api      *api
	ports    *ports
	admin    adminPort
	page     *debugPage

	dialer  *dialer
	parties *thirdParties

	app       *App
	resources resources

	notes     runFile   // how the run ends, for the next one
	left      Step      // the step of the start that hangs and was left behind; empty for none
	stopBegun time.Time // zero while no stop is asked for
}

func newInstance(ctx context.Context, service Service) *instance {
	now := time.Now()
	i := &instance{service: service, around: surroundingsOf(ctx), began: now, life: newLifecycle(now, service.OnEvent)}
	i.app = &App{instance: i, names: map[string]bool{}}
	return i
}

// configure reads the settings.
func (i *instance) configure(ctx context.Context) (string, error) {
	err := i.cfg.read(ctx, &i.service, &i.around)
	return i.cfg.Environment, err
}

// startTelemetry starts logs, traces and metrics, and the parts that use all of them.
func (i *instance) startTelemetry(ctx context.Context) (string, error) {
	stdout := logline.NewOutput(i.around.Output)
	sinks, err := logSinks(ctx, i.service.LogSinks)
	if err != nil {
		return "", err
	}
	t, err := telemetry.Start(ctx, telemetry.Config{
		Service: i.service.Name, Version: i.service.Version, Environment: i.cfg.Environment, InstanceID: hostname(),
		LogLevel: i.cfg.LogLevel, LogFormat: i.cfg.logFormat(logline.IsTerminal(i.around.Output)), Output: stdout, Getenv: i.around.getenv,
		SpanProcessors: i.around.Processors, LogHandlers: i.around.Handlers, Sinks: sinks,
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
	i.around.Registered(t.Registry())
	i.life.useLog(i.log, t.Settle)
	i.protections.warn(i.log)
	if fips140.Enabled() {
		i.log.Info("FIPS 140-3 mode is on")
	}
	return "", nil
}

// logSinks asks the service for additional destinations of the log.
func logSinks(ctx context.Context, ask func(context.Context) ([]telemetry.Sink, error)) ([]telemetry.Sink, error) {
	if ask == nil {
		return nil, nil
	}
	sinks, err := ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("Service.LogSinks: %w", err)
	}
	return sinks, nil
}

// instrument creates the parts that log, trace and measure.
func (i *instance) instrument(t *telemetry.Telemetry, stdout io.Writer) (err error) {
	registry := t.Registry()
	if i.health, err = health.New(health.Config{Logger: t.Logger(), Registerer: registry}); err != nil {
		return err
	}
	if i.audit, err = openAuditLog(&i.cfg, i.service.Name, t, stdout); err != nil {
		return err
	}
	if err := watchAuditLog(i.health, i.audit, &i.cfg); err != nil {
		return err
	}
	i.limiter = newLimiter(&i.cfg)
	if i.chain, err = i.newChain(t); err != nil {
		return err
	}
	i.faults = fault.NewSet(i.chain, t.Logger())
	i.protections = protectionsOf(&i.cfg, &i.around)
	refused, restarts, panics := catalog.ConnectionsRefused.CounterVec(), catalog.WorkerRestarts.CounterVec(), catalog.Panics.CounterVec()
	err = errors.Join(registry.Register(restarts), catalog.Register(registry, &panics), i.life.register(registry, i.health.Ready),
		registry.Register(refused), registry.Register(newProtectionCollector(i.protections, i.faults)))
	panics.WithLabelValues("worker")
	i.workers = newSupervisor(t.Logger(), restarts, panics)
	i.newClients(t)
	return errors.Join(err, i.newPorts(t, refused), i.measureProcess(t))
}

// measureProcess registers the metrics of the process and of what was set up around it.
func (i *instance) measureProcess(t *telemetry.Telemetry) error {
	registry := t.Registry()
	resources, err := bounded.Of(registry)
	if err != nil {
		return err
	}
	i.notes = runFile{i.cfg.RunFile, t.Logger()}
	return errors.Join(
		resources.Add(bounded.Processors, "processors", bounded.ProcessorState),
		registry.Register(cgroup.NewCollector(os.DirFS("/"))),
		registry.Register(newSettingsCollector(&i.cfg, &i.around, t.Level(), i.faults)),
		registry.Register(newWorkerCollector(i.workers)),
		registry.Register(newCheckCollector(i.health, i.dialer)),
		i.notes.begin().register(registry),
	)
}

// newChain returns the pass of incoming calls.
func (i *instance) newChain(t *telemetry.Telemetry) (*inbound.Server, error) {
	tracing := tracingOf(t)
	return inbound.NewServer(inbound.Config{
		Logger: t.Logger(), Lines: t.Lines(), Sinks: t.Sinks(), Requests: inbound.Requests(i.cfg.LogRequests),
		Tracer: tracing.tracer, TracerProvider: t.TracerProvider(), Sampled: t.Sampled,
		IgnoreTraceContext: tracing.ignoreTraceContext, IgnoreBaggage: tracing.ignoreBaggage,
		ForeignTraces: i.cfg.TraceTrust == traceAnyone, PlainTraces: i.cfg.development(),
		Tokens: i.service.Tokens, Validate: i.service.Validate, AuditOnly: i.cfg.Authorization == authorizationAudit,
		Admission: i.limiter, RateLimits: i.cfg.rateLimits, TrustedOrigins: i.cfg.TrustedOrigins,
		CORSOrigins: i.cfg.CORSOrigins, Headers: i.service.HTTPHeaders, Middleware: i.service.HTTPMiddleware, CompressFrom: i.cfg.HTTPCompress,
		Audit: i.audit, Registerer: t.Registry(), Sizes: true, NativeHistograms: i.cfg.NativeHistograms,
		Unary: i.service.UnaryInterceptors, Stream: i.service.StreamInterceptors,
	})
}

// newPorts creates the ports of the service. None is open yet.
func (i *instance) newPorts(t *telemetry.Telemetry, refused *prometheus.CounterVec) error {
	resources, err := bounded.Of(t.Registry())
	i.api = &api{chain: i.chain, restTimeout: i.cfg.HTTPTimeout}
	i.ports = &ports{chain: i.chain, opener: &opener{
		cfg: &i.cfg, around: &i.around, identity: &i.identity, limiter: i.limiter,
		log: t.Logger(), registry: t.Registry(), refused: refused, resources: resources, streams: i.chain.Streams,
	}}
	return err
}

// newClients creates the parts for calls to others.
func (i *instance) newClients(t *telemetry.Telemetry) {
	client := &clientSide{cfg: &i.cfg, log: t.Logger(), telemetry: t}
	i.dialer = &dialer{
		service: i.service.Name, userAgent: userAgent(&i.service), cfg: &i.cfg, around: &i.around, identity: &i.identity,
		log: t.Logger(), registry: t.Registry(), client: client,
	}
	i.parties = &thirdParties{timeout: i.cfg.HTTPClientTimeout, client: client}
}

// startIdentity gets the certificate and trust of the settings.
func (i *instance) startIdentity(ctx context.Context) (string, error) {
	own, err := i.identity.open(ctx, identityNeeds{i.service.Name, &i.cfg, &i.around, i.log, i.telemetry.Registry()})
	switch {
	case err != nil:
		return "", err
	case own == nil:
		return "none: CHASSIS_MTLS=off", nil
	}
	i.chain.SetTrustDomain(own.ID.TrustDomain().Name())
	return own.ID.String(), nil
}

// startAdmin opens the admin port. The service is live and not ready.
func (i *instance) startAdmin(ctx context.Context) (string, error) {
	server, err := i.ports.openHTTP(ctx, "admin", "CHASSIS_ADMIN_ADDR", i.cfg.AdminAddr, i.cfg.AdminTLS)
	if err != nil {
		return "", err
	}
	var recorder *trace.FlightRecorder
	if i.cfg.FlightRecorder {
		recorder = startFlightRecorder(i.log)
	}
	if err := i.admin.serve(server, i.adminHandler(recorder), recorder); err != nil {
		return "", err
	}
	return i.admin.addr().String(), nil
}

// adminHandler returns the handler of the admin port.
func (i *instance) adminHandler(recorder *trace.FlightRecorder) *admin.Handler {
	allowed := operators{&i.cfg, i.chain}
	i.page = &debugPage{
		service: &i.service, began: i.began, cfg: &i.cfg, life: i.life, identity: &i.identity, health: i.health,
		limiter: i.limiter, chain: i.chain, faults: i.faults, protections: i.protections, resources: &i.resources,
		api: i.api, ports: i.ports, admin: &i.admin, dialer: i.dialer, workers: i.workers,
	}
	return admin.New(admin.Config{
		Service: i.service.Name, Level: i.telemetry.Level(), Logger: i.log, Metrics: i.telemetry.MetricsHandler(),
		Livez: i.health.Livez(), Readyz: i.health.Readyz(), Startupz: i.health.Startupz(),
		Snapshot: i.page.snapshot, Steps: stepsOfCall(), Contract: i.page.contractDoc, Explain: allowed.explain,
		Allow: allowed.allowDebug(), NotLocal: !i.cfg.DebugLocal, MayChange: allowed.mayChange(),
		Faults: i.faults, Audit: i.audit, FlightRecorder: recorder, WriteTimeout: i.cfg.WriteTimeout,
	})
}

// setUp runs the service's Setup, and closes the registration.
func (i *instance) setUp(ctx context.Context) (string, error) {
	defer i.telemetry.Settle() // what Setup has logged is there where it panics
	if err := i.app.setUp(ctx, i.service.Setup); err != nil {
		return "", err
	}
	registerOwnServices(i.app, i.health, i.cfg.development())
	if err := errors.Join(i.app.close(), routeCheck{i.app}.run(), i.checkOverrides(), i.dialer.watch(i.health), i.dialer.fromZero(i.chain), setFaults(ctx, i.faults, i.cfg.Faults)); err != nil {
		return "", err
	}
	i.readAPI()
	var records []*contract.Method
	for _, m := range i.chain.Methods() {
		records = append(records, m.Method)
	}
	i.around.Methods(records)
	i.dialer.checkTargets()
	return fmt.Sprintf("%d methods", len(i.chain.Methods())), nil
}

// readAPI reads the REST routes of the services that have a gateway.
func (i *instance) readAPI() {
	if i.app.gateway == nil {
		return
	}
	var names []string
	for _, s := range i.app.services {
		if !slices.Contains(i.app.grpcOnly, s.desc.ServiceName) {
			names = append(names, s.desc.ServiceName)
		}
	}
	i.api.read(names)
}

// bindPorts opens the ports of the service, with everything that Setup registered.
func (i *instance) bindPorts(ctx context.Context) (string, error) {
	rest, err := i.restHandler()
	if err != nil {
		return "", err
	}
	open, err := i.ports.bind(ctx, func(s *grpc.Server) {
		for _, registered := range i.app.services {
			s.RegisterService(registered.desc, registered.impl)
		}
	}, rest)
	if err != nil {
		return "", err
	}
	i.ports.announce(i.service.Name)
	return open, nil
}

// restHandler returns what serves the REST port, nil if the service has no HTTP.
func (i *instance) restHandler() (http.Handler, error) {
	routes := i.app.handler()
	if routes == nil {
		return nil, nil //nolint:nilnil // no HTTP is no error
	}
	i.app.edge.Methods = i.api.customMethods()
	served, err := i.chain.Surround(i.withDocs(routes), &i.app.edge)
	if err != nil {
		return nil, fmt.Errorf("Service.HTTPMiddleware: %w", err)
	}
	return served, nil
}

// withDocs adds the description of the API, where it is served.
func (i *instance) withDocs(routes http.Handler) http.Handler {
	if !i.cfg.HTTPDocs || i.app.gateway == nil {
		return routes
	}
	return i.api.withDocs(routes, openapi.Info{
		Title: i.service.Name, Version: readBuild(i.service.Version).version,
		MutualTLS: i.chain.TrustDomain() != "", Bearer: i.service.Tokens != nil,
	}, i.log)
}

// checkOverrides rejects overrides of methods that do not exist, and logs the others.
func (i *instance) checkOverrides() error {
	var names []string
	for _, m := range i.chain.Methods() {
		names = append(names, m.Name)
		if m.Overridden {
			i.log.Warn("policy overridden", "method", m.Name, "setting", "CHASSIS_POLICY_OVERRIDES",
				"timeout", timeoutText(m.Timeout), "callers", m.Describe())
		}
	}
	if unused := i.cfg.overrides.Unused(names); len(unused) > 0 {
		return fmt.Errorf("CHASSIS_POLICY_OVERRIDES has methods that are not registered: %s; write them as package.Service/Method", strings.Join(unused, ", "))
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

// becomeReady reports that the service is ready. A failing hard check keeps it unready until the
// check passes.
func (i *instance) becomeReady(context.Context) (string, error) {
	i.health.MarkStarted()
	i.health.SetServing(true)
	if !i.health.Ready() {
		return "not ready: a health check fails", nil
	}
	return "", nil
}

func timeoutText(timeout time.Duration) string {
	if timeout == 0 {
		return "none"
	}
	return timeout.String()
}
