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

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// App is what Setup registers a service with. Its methods may be called concurrently. What is registered is fixed when
// Setup returns; only Go may be called later.
//
// App is a [grpc.ServiceRegistrar], so generated Register functions take it.
type App struct {
	instance *instance

	mu       sync.Mutex
	closed   bool // Setup has returned
	errs     []error
	services []service
	names    map[string]bool
	routes   *http.ServeMux
	gateway  *gateway.ServeMux
	conn     *grpc.ClientConn // of the gateway
}

type service struct {
	desc *grpc.ServiceDesc
	impl any
}

var _ grpc.ServiceRegistrar = (*App)(nil)

// errLate tells of a registration that nobody would see.
var errLate = errors.New("chassis: registered after Setup has returned, when the service is already serving: do it in Setup")

// RegisterService registers a gRPC service. What is wrong with it, such as a name registered before, is reported by the
// start, as the method of the interface returns nothing. After Setup it panics.
func (a *App) RegisterService(desc *grpc.ServiceDesc, impl any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		panic(errLate)
	}
	if err := a.checkService(desc, impl); err != nil {
		a.errs = append(a.errs, err)
		return
	}
	a.names[desc.ServiceName] = true
	wrapped, err := a.instance.chain.Wrap(desc, impl, contract.Defaults{
		Timeout: a.instance.cfg.CallTimeout, Overrides: a.instance.cfg.overrides,
	})
	if err != nil {
		a.errs = append(a.errs, fmt.Errorf("chassis: gRPC service %s: %w", desc.ServiceName, err))
		return
	}
	a.services = append(a.services, service{wrapped, impl})
}

func (a *App) checkService(desc *grpc.ServiceDesc, impl any) error {
	if a.names[desc.ServiceName] {
		return fmt.Errorf("chassis: gRPC service %s is registered twice", desc.ServiceName)
	}
	if impl == nil || desc.HandlerType == nil {
		return nil
	}
	if want := reflect.TypeOf(desc.HandlerType).Elem(); !reflect.TypeOf(impl).Implements(want) {
		return fmt.Errorf("chassis: gRPC service %s: %T does not implement %s", desc.ServiceName, impl, want)
	}
	return nil
}

// Gateway serves gRPC methods by REST, as their google.api.http options say. Each register is a function that
// protoc-gen-grpc-gateway made, such as RegisterHelloServiceHandler. REST calls run through the same chain as gRPC
// ones, in this process.
func (a *App) Gateway(ctx context.Context, register ...func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error) error {
	mux, conn, err := a.openGateway()
	if err != nil {
		return err
	}
	for _, r := range register {
		if err := r(ctx, mux, conn); err != nil {
			return fmt.Errorf("chassis: gateway: %w", err)
		}
	}
	return nil
}

// openGateway makes the gateway when it is first asked for.
func (a *App) openGateway() (*gateway.ServeMux, *grpc.ClientConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, nil, errLate
	}
	if a.gateway == nil {
		cfg := &a.instance.cfg
		mux, conn, err := a.instance.chain.Gateway(inbound.RESTConfig{Timeout: cfg.HTTPTimeout, MaxMessage: cfg.MaxMessageBytes})
		if err != nil {
			return nil, nil, err
		}
		a.gateway, a.conn = mux, conn
	}
	return a.gateway, a.conn, nil
}

// handler returns what serves the REST port, nil if the service has no HTTP. Without patterns of Handle it is the
// gateway alone: another mux in front would cost each call.
func (a *App) handler() (handler http.Handler, err error) {
	defer func() {
		if p := recover(); p != nil { // http.ServeMux panics
			err = fmt.Errorf("chassis: the gateway and a pattern of Handle both want every path: %v", p)
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
// is malformed or in conflict with another is reported by the start. After Setup it panics.
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
// service has Tokens.
func (a *App) HandlePublic(pattern string, handler http.Handler) {
	a.handle(pattern, handler, true, nil)
}

func (a *App) handle(pattern string, handler http.Handler, public bool, callers []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		panic(errLate)
	}
	defer func() {
		if p := recover(); p != nil { // http.ServeMux panics
			a.errs = append(a.errs, fmt.Errorf("chassis: HTTP pattern %q: %v", pattern, p))
		}
	}()
	route, err := contract.Route(pattern, public, callers)
	if err != nil {
		a.errs = append(a.errs, fmt.Errorf("chassis: HTTP pattern %q: %w", pattern, err))
		return
	}
	route.MaxRequest = a.instance.cfg.MaxHandlerBytes
	if a.routes == nil {
		a.routes = http.NewServeMux()
	}
	a.routes.Handle(pattern, a.instance.chain.Route(route, handler))
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
// of a service is an error of the start. After Setup it panics. The chassis closes idle connections when calls and
// workers have ended.
func (a *App) HTTPClient(name string) *http.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		panic(errLate)
	}
	client, err := a.instance.parties.clientFor(name)
	if err != nil {
		a.errs = append(a.errs, fmt.Errorf("chassis: HTTP client %q: %w", name, err))
	}
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

// Health takes in what the service needs to be ready, to be checked in the background. It fails where the check is not
// valid or its name is taken.
func (a *App) Health(check health.Check) error { return a.instance.health.Add(check) }

// Go runs a worker beside the calls, from when the ports are open until the service stops: then its context ends, and
// it must return. Workers end in the reverse order of their registration, after the last call. A nil error ends the
// worker for good; any other, and a panic, is reported, and the worker is started again unless onFailure says
// [StopService]. Names are labels of a metric: keep them few. A name that is empty or taken is an error of the start.
func (a *App) Go(name string, run func(ctx context.Context) error, onFailure ...OnFailure) {
	t := &task{name: name, run: run}
	for _, f := range onFailure {
		t.onFailure = f
	}
	a.addTask(t)
}

// OnStop calls stop when the last call has ended or was cut, in the reverse order of registration, together with the
// end of the workers. Its context ends with its share of the time for the shutdown: all that is left but a second for
// each worker and function still to come, and an equal part of what is left where that is less.
func (a *App) OnStop(name string, stop func(ctx context.Context) error) {
	a.addTask(&task{name: name, onStop: stop})
}

func (a *App) addTask(t *task) {
	if err := a.instance.workers.add(t); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.errs = append(a.errs, err)
	}
}

// close ends the registration and returns what was wrong with it.
func (a *App) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return errors.Join(a.errs...)
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
