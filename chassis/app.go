package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// App is what Setup registers a service with. Its methods may be called concurrently.
//
// What is wrong with a registration is an error of the start, which reports all of them at once, with what Setup returns.
// Only methods that return something to use return an error too.
//
// What is registered is fixed when Setup returns. A method that registers panics after that: a late registration would
// be served by some instances and not by others, as goroutines happen to run. When the start has failed, or the service
// stops, a registration has no effect but a line in the log, and methods with an error return one: a goroutine that
// Setup has left behind does not break the stop. Logger, Tracer, Metrics and the providers register nothing and may be
// called at any time.
//
// App is a [grpc.ServiceRegistrar], so generated Register functions take it.
type App struct {
	instance *instance

	mu        sync.Mutex
	state     registration
	something bool // is registered that is served or runs, or can be used by what runs
	errs      []error
	services  []service
	names     map[string]bool
	routes    *http.ServeMux
	gateway   *gateway.ServeMux
	gateways  []registerFunc   // what Gateway was given
	grpcOnly  []string         // what WithoutGateway names
	conn      *grpc.ClientConn // of the gateway
}

type service struct {
	desc *grpc.ServiceDesc
	impl any
}

var _ grpc.ServiceRegistrar = (*App)(nil)

// RegisterService registers a gRPC service. A name that is registered twice, an implementation that is nil or lacks
// methods, and declarations of the proto that contradict themselves are errors of the start. After Setup it panics.
func (a *App) RegisterService(desc *grpc.ServiceDesc, impl any) {
	a.collect("RegisterService", func() error {
		a.something = true
		return a.registerService(desc, impl)
	})
}

func (a *App) registerService(desc *grpc.ServiceDesc, impl any) error {
	if err := a.checkService(desc, impl); err != nil {
		return err
	}
	a.names[desc.ServiceName] = true
	wrapped, err := a.instance.chain.Wrap(desc, impl, contract.Defaults{
		Timeout: a.instance.cfg.CallTimeout, Overrides: a.instance.cfg.overrides,
	})
	if err != nil {
		return fmt.Errorf("chassis: gRPC service %s: %w", desc.ServiceName, err)
	}
	a.services = append(a.services, service{wrapped, impl})
	return nil
}

func (a *App) checkService(desc *grpc.ServiceDesc, impl any) error {
	switch {
	case desc == nil:
		return errors.New("chassis: a gRPC service is registered with a nil ServiceDesc: pass the generated XService_ServiceDesc")
	case a.names[desc.ServiceName] && desc.ServiceName == healthpb.Health_ServiceDesc.ServiceName:
		return fmt.Errorf("chassis: gRPC service %s is registered by the chassis itself: remove your registration, and add checks with app.Health", desc.ServiceName)
	case a.names[desc.ServiceName]:
		return fmt.Errorf("chassis: gRPC service %s is registered twice: remove one registration", desc.ServiceName)
	case desc.HandlerType == nil || impl == nil && reflect.TypeOf(desc.HandlerType).Elem().NumMethod() == 0:
		return nil
	case isNil(impl):
		return fmt.Errorf("chassis: gRPC service %s is registered with a nil server, and every call would panic: pass a server that implements it",
			desc.ServiceName)
	}
	if want := reflect.TypeOf(desc.HandlerType).Elem(); !reflect.TypeOf(impl).Implements(want) {
		return fmt.Errorf("chassis: gRPC service %s: %T does not implement %s", desc.ServiceName, impl, want)
	}
	return nil
}

// isNil reports whether v is nil, or a pointer or a function that is.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	value := reflect.ValueOf(v)
	return (value.Kind() == reflect.Pointer || value.Kind() == reflect.Func) && value.IsNil()
}

// Gateway serves gRPC methods by REST, as their google.api.http options say. Each register is a function that
// protoc-gen-grpc-gateway made, such as RegisterHelloServiceHandler. REST calls run through the same chain as gRPC
// ones, in this process.
//
// It may be called before or after the services are registered, and several times. These are errors of the start: a
// register that is nil, fails, or is for a service that is not registered; two methods on one route; a route that a
// pattern of [App.Handle] takes away; and a registered service that declares routes and has no gateway, unless
// [App.WithoutGateway] names it. After Setup it panics.
func (a *App) Gateway(ctx context.Context, register ...func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error) {
	mux, conn := a.openGateway(register)
	if mux == nil {
		return
	}
	for _, r := range register {
		if err := registerRoutes(ctx, r, mux, conn); err != nil {
			a.collect("Gateway", func() error { return fmt.Errorf("chassis: Gateway: %w", err) })
		}
	}
}

func registerRoutes(ctx context.Context, register registerFunc, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	if register == nil {
		return errors.New("a register function is nil: pass functions that protoc-gen-grpc-gateway generated, such as RegisterHelloServiceHandler")
	}
	return register(ctx, mux, conn)
}

// WithoutGateway says that the google.api.http options of services are not for this gateway: clients call the service
// by gRPC alone, or something else serves its routes, such as a proxy in front that transcodes. The start then does not
// ask for an [App.Gateway] of the service. Services have their full names, as in hello.v1.HelloService.
//
// A service that is not registered, and one that Gateway was called for, are errors of the start. Naming a service
// twice is naming it once. After Setup it panics.
func (a *App) WithoutGateway(services ...string) {
	a.collect("WithoutGateway", func() error {
		a.grpcOnly = append(a.grpcOnly, services...)
		return nil
	})
}

// openGateway makes the gateway when it is first asked for. It returns nil where there is to be none.
func (a *App) openGateway(register []registerFunc) (mux *gateway.ServeMux, conn *grpc.ClientConn) {
	a.collect("Gateway", func() (err error) {
		a.something = true
		for _, r := range register {
			if r != nil {
				a.gateways = append(a.gateways, r)
			}
		}
		if a.gateway == nil {
			cfg := &a.instance.cfg
			a.gateway, a.conn, err = a.instance.chain.Gateway(inbound.RESTConfig{Timeout: cfg.HTTPTimeout, MaxMessage: cfg.MaxMessageBytes})
			if err != nil {
				return err
			}
		}
		mux, conn = a.gateway, a.conn
		return nil
	})
	return mux, conn
}

// handler returns what serves the REST port, nil if the service has no HTTP. Without patterns of Handle it is the
// gateway alone: another mux in front would cost each call.
func (a *App) handler() (handler http.Handler, err error) {
	defer func() {
		if p := recover(); p != nil { // http.ServeMux panics
			err = fmt.Errorf("chassis: the gateway and a pattern of app.Handle both match every path: narrow the pattern: %v", p)
		}
	}()
	switch {
	case a.routes != nil && a.gateway != nil:
		a.routes.Handle("/", a.gateway)
		return a.routes, nil
	case a.routes != nil:
		return a.routes, nil
	case a.gateway != nil:
		return a.gateway, nil
	default:
		return nil, nil //nolint:nilnil // no HTTP is no error
	}
}

// Handle serves plain HTTP on the REST port, to those who may call. Pattern is one of [http.ServeMux]; a pattern that
// is malformed or in conflict with another, and a handler that is nil, are errors of the start. After Setup it panics.
//
// A route is closed like a method. Without callers it is open to the services of the own trust domain, with callers to
// those that they name, as a contract does ("web", "bookmaker-*", "user:*"). [App.HandlePublic] opens a route to
// everybody. Others get 401 or 403. Bearer tokens are verified, CHASSIS_RATE_LIMIT holds, and [CallerOf] tells who asks,
// as for a method. Where mutual TLS is off, a route without callers is open to everybody.
//
// Requests are traced, measured and logged, but have no deadline, as a download may take long. A write ends in an error
// where the reader has taken nothing for CHASSIS_WRITE_TIMEOUT, a read of the body where nothing has come for
// CHASSIS_BODY_TIMEOUT; a handler that sets a deadline of its own by [http.ResponseController] has that one instead. A
// handler that panics before its first byte is answered for with 500; later the connection is cut, so that the client
// does not take half an answer for a whole one.
//
// The body comes as it was sent, compressed or not, and has no limit but CHASSIS_MAX_HANDLER_BYTES, which is none
// unless it is set: a handler that keeps a body in memory bounds it by [http.MaxBytesReader], as with a server of
// net/http. Over the limit a read returns an [http.MaxBytesError].
//
// What the caller has proved counts for as long as it is true. Where its certificate or its token ends while the answer
// is a stream, one without a Content-Length that was flushed, the handler's context ends within a second, with the
// reason as its [context.Cause], and writes fail 10 s later; a hijacked connection is closed. What has a length, or is
// not answered yet, runs to its end.
//
// The handler's writer has the methods of net/http's own: [http.Hijacker] and [io.ReaderFrom] by HTTP/1,
// [http.Pusher] by HTTP/2. A hijacked connection, such as a WebSocket, belongs to the handler. It has no deadline,
// and counts as one request with the status 101 when the handler returns.
//
// A stop waits for requests: a handler that may run for long should end when [Draining] is closed. Hijacked
// connections are closed where their handlers have not done so when streams are ended.
func (a *App) Handle(pattern string, handler http.Handler, callers ...string) {
	a.handle(pattern, handler, false, callers)
}

// HandlePublic is [App.Handle] for everybody, with an identity or without: pages, webhooks that prove themselves in
// another way, what a browser loads first. A bearer token that is not accepted is refused all the same, if the
// service has Tokens. After Setup it panics.
func (a *App) HandlePublic(pattern string, handler http.Handler) {
	a.handle(pattern, handler, true, nil)
}

func (a *App) handle(pattern string, handler http.Handler, public bool, callers []string) {
	a.collect("Handle", func() error {
		a.something = true
		if err := a.addPattern(pattern, handler, public, callers); err != nil {
			return fmt.Errorf("chassis: HTTP pattern %q: %w", pattern, err)
		}
		return nil
	})
}

func (a *App) addPattern(pattern string, handler http.Handler, public bool, callers []string) (err error) {
	if isNil(handler) {
		return errors.New("the handler is nil: pass the handler that serves the pattern")
	}
	route, err := contract.Route(pattern, public, callers)
	if err != nil {
		return err
	}
	route.MaxRequest = a.instance.cfg.MaxHandlerBytes
	if a.routes == nil {
		a.routes = http.NewServeMux()
	}
	defer func() {
		if p := recover(); p != nil { // http.ServeMux panics
			err = fmt.Errorf("%v", p)
		}
	}()
	a.routes.Handle(pattern, a.instance.chain.Route(route, handler))
	return nil
}

// HTTPClient returns the client for requests to a third party, one that is no service of the own mesh; [App.Dial] is
// for those. Name stands for it in metrics and spans, where its hosts, paths and queries never do: a name like a
// service's. Requests are traced and measured, hand on the trace but no baggage, and prove no identity: they take TLS
// 1.2 at least, from servers that the system's roots vouch for.
//
// A request ends, its body read, at the deadline of its context, less up to 10 ms, or after
// CHASSIS_HTTP_CLIENT_TIMEOUT where that has none, redirects and further attempts included; the server is told by
// Request-Timeout. What may be repeated (GET, HEAD, OPTIONS, TRACE, PUT, DELETE, and anything with an
// Idempotency-Key) is sent up to three times, if its body can be had again (GetBody), where the connection failed, or
// the answer was 502, 503, 504, or 429 with a Retry-After: that of any answer is obeyed, up to 5 s. Further attempts
// stop while more than about one call in ten fails. Up to 5 redirects are followed, none from https to http; another
// host gets no body, in which case the answer that redirects is returned, and of the header what says which form of
// the answer is wanted. Answers may have 64 KiB of headers; their bodies have no bound but the deadline, so read what
// should be small through [io.LimitReader], and close every body.
//
// The same name gives the same client, which may be used concurrently and must not be changed. A name that is no name
// of a service is an error of the start, and the client that comes with it fails each request. After Setup it panics.
// The chassis closes idle connections when calls and workers have ended.
func (a *App) HTTPClient(name string) *http.Client {
	client := &http.Client{Transport: refusal{errEnded}}
	a.collect("HTTPClient", func() (err error) {
		a.something = true
		if client, err = a.instance.parties.clientFor(name); err != nil {
			return fmt.Errorf("chassis: HTTP client %q: %w", name, err)
		}
		return nil
	})
	return client
}

// Logger returns the service's logger. Lines logged with the context of a call carry its trace.
func (a *App) Logger() *slog.Logger { return a.instance.log }

// Tracer returns the tracer for the service's own spans.
func (a *App) Tracer() trace.Tracer { return a.instance.telemetry.Tracer(a.instance.service.Name) }

// TracerProvider is for libraries that want one.
func (a *App) TracerProvider() trace.TracerProvider { return a.instance.telemetry.TracerProvider() }

// Metrics returns the registry of /metrics, for the service's own collectors. A collector that
// panics costs a scrape what it had not sent, and one that takes longer than 5 s or sends more than
// 100,000 series is left out, as [telemetry.Telemetry.Registerer] tells.
func (a *App) Metrics() prometheus.Registerer { return a.instance.telemetry.Registerer() }

// MeterProvider is for libraries that measure with OpenTelemetry: what they measure is on /metrics too.
func (a *App) MeterProvider() *sdkmetric.MeterProvider { return a.instance.telemetry.MeterProvider() }

// Health adds a check of something that the service needs to be ready. It runs in the background. A check that is not
// valid, and a name that is taken by another check or by a service of [App.Dial], are errors of the start. After Setup
// it panics.
func (a *App) Health(check health.Check) {
	a.collect("Health", func() error {
		if err := a.instance.health.Add(check); err != nil {
			return fmt.Errorf("chassis: %w", err)
		}
		return nil
	})
}

// Go runs a worker beside the calls, from when the ports are open until the service stops: then its context ends, and
// it must return. Workers end in the reverse order of their registration, after the last call.
//
// A nil error ends the worker for good. Any other, a panic, and an end of its goroutine are failures: they are logged,
// and the worker is started again after a pause that grows from 100 ms to 30 s, and is short again once it ran for a
// minute. [App.GoRequired] is for a worker without which the service must not go on.
//
// Names are labels of a metric: keep them few. A name that is empty, no UTF-8 or taken by a worker or a stop function,
// and a nil run, are errors of the start. After Setup it panics.
func (a *App) Go(name string, run func(ctx context.Context) error) {
	a.addTask("Go", &task{name: name, run: run})
}

// GoRequired is [App.Go] for a worker without which the service must not go on. Its failure is not followed by another
// start: it stops the service in good order, and Run returns it.
func (a *App) GoRequired(name string, run func(ctx context.Context) error) {
	a.addTask("GoRequired", &task{name: name, run: run, required: true})
}

// OnStop calls stop when the last call has ended or was cut, in the reverse order of registration, together with the
// end of the workers. Its context ends with its share of the time for the shutdown: all that is left but a second for
// each worker and function still to come, and an equal part of what is left where that is less.
//
// A name that is empty, no UTF-8 or taken by a worker or another stop function, and a nil stop, are errors of the
// start. After Setup it panics.
func (a *App) OnStop(name string, stop func(ctx context.Context) error) {
	a.addTask("OnStop", &task{name: name, onStop: stop})
}

func (a *App) addTask(method string, t *task) {
	a.collect(method, func() error {
		a.something = a.something || method != "OnStop"
		if err := a.instance.workers.add(t); err != nil {
			return fmt.Errorf("chassis: %s: %w", method, err)
		}
		return nil
	})
}

// Caller is who makes a call, as far as that was proved: ID is a SPIFFE ID that mutual TLS has proved, Subject that
// of a bearer token at the REST edge. Each may be empty.
type Caller = inbound.Caller

// CallerOf returns who makes the call of ctx, or the request of a handler of [App.Handle]; the zero value if nothing
// was proved, or ctx belongs to neither.
func CallerOf(ctx context.Context) Caller { return inbound.CallerOf(ctx) }

// Draining returns a channel that is closed when the service that serves the call or the HTTP request of ctx begins
// to stop, so that a long stream can end in good order while its client still has time to go elsewhere. A streaming
// call that has not ended after half of the time that calls have left is ended: its context ends, Recv and Send fail,
// and its client gets UNAVAILABLE. Streams that the client alone sends have nearly all of that time. For a ctx that
// belongs to no call and no request it is nil, which never closes.
func Draining(ctx context.Context) <-chan struct{} { return inbound.Draining(ctx) }

// Resource declares something that limit calls can use at once, such as the connections of a pool, under a name that is a
// label of metrics: lower-case letters, digits and dashes. Handlers call acquire before they use it, and release after:
//
//	release, err := s.acquire(ctx)
//	if err != nil {
//		return nil, err
//	}
//	defer release()
//
// Declare what can be overloaded: the chassis sees that processors are, and cannot see what calls wait for. At three times
// what the resource can serve, it goes on serving what it can, critical calls first, and the other calls are refused. A
// burst, and a resource that is slow for a while, have no call refused unless more calls come than go for some hundred
// milliseconds.
//
// Acquire may be called concurrently. It returns when there is room for the call of ctx, or fails: with UNAVAILABLE and a
// google.rpc.RetryInfo where the resource is overloaded, with DEADLINE_EXCEEDED or CANCELLED where ctx has ended. A handler
// returns these errors as they are, or wrapped: the log then names the resource, and so does the answer to callers of the
// own trust domain. Outside of a call, in a worker, acquire waits as long as ctx does and is
// never refused. Calling release again does nothing. A call that acquires the same resource twice holds two of its places,
// and can wait for itself.
//
// Resource fails for a name that is not one or is declared already, and for a limit below 1. After Setup it panics.
func (a *App) Resource(name string, limit int) (acquire func(ctx context.Context) (release func(), err error), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.late("Resource"); err != nil {
		return nil, err
	}
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf("chassis: resource %q: %w", name,
			errors.New("the name must begin with a letter and have at most 63 lower-case letters, digits and dashes, because it is a label of metrics"))
	}
	r, err := a.instance.chain.Resource(name, limit)
	if err != nil {
		return nil, fmt.Errorf("chassis: %w", err)
	}
	a.instance.resources.add(name, r)
	return r.Acquire, nil
}
