package inbound

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/allowance"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
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

// Server is the server's side of the chain. All methods may be called concurrently.
type Server struct {
	cfg         Config
	obs         *observer
	leaving     atomic.Bool
	trustDomain string // set before the first call
	draining    chan struct{}
	drain       sync.Once
	streams     streams
	routes      routes
	requests    requests
	cutting     atomic.Bool // a stop is at its end, and closes the connections

	unaudited allowance.Lines // about calls that could not be recorded, which are all of them while that lasts

	limiter   *ratelimit.Limiter // nil: nobody is limited
	crossSite *http.CrossOriginProtection
	unknown   *Method

	shares     admission.Shares
	processors *shortage

	watches sync.Pool // of *watch, of HTTP requests that have ended

	mu      sync.RWMutex
	methods []*Method                          // in the order of registration
	byName  atomic.Pointer[map[string]*Method] // by FullMethod; replaced, not changed, as each call reads it
}

// NewServer returns a chain without methods and registers its metrics. It fails where a metric of the same name is
// registered already.
func NewServer(cfg Config) (*Server, error) {
	obs, err := newObserver(cfg)
	if err != nil {
		return nil, err
	}
	crossSite, err := newCrossSite(cfg.TrustedOrigins)
	if err != nil {
		return nil, err
	}
	s := &Server{
		crossSite: crossSite,
		cfg:       cfg, obs: obs, draining: make(chan struct{}), limiter: ratelimit.New(cfg.RateLimits),
		shares:     admission.NewShares(),
		processors: newShortage("the processors of the service have", "more calls than the processors can do"),
	}
	s.byName.Store(&map[string]*Method{})
	s.unknown = s.newMethod(&contract.Method{Name: "_OTHER", Public: true, ClientStreams: true, ServerStreams: true}, unknownMethod)
	obs.inFlight.add(s.unknown)
	return s, nil
}

// Wrap returns a copy of desc in which every method runs through the chain, to be registered with impl. Unary methods
// become streams of one message each way, which is how grpc-go itself serves them since 1.85: so one handler serves
// gRPC and REST, and sees what happens to a message before and after the service's code.
//
// The error tells of every declaration of the service that contradicts itself.
func (s *Server) Wrap(desc *grpc.ServiceDesc, impl any, defaults contract.Defaults) (*grpc.ServiceDesc, error) {
	unary, streams, err := contract.Compile(desc, defaults)
	if err != nil {
		return nil, err
	}
	wrapped := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: desc.HandlerType, Metadata: desc.Metadata}
	for i, record := range unary {
		m := s.add(s.newMethod(record, s.unaryHandler(&desc.Methods[i], impl)))
		wrapped.Streams = append(wrapped.Streams, m.desc(desc.Methods[i].MethodName))
	}
	for i, record := range streams {
		m := s.add(s.newMethod(record, s.streamHandler(&desc.Streams[i], impl, record)))
		wrapped.Streams = append(wrapped.Streams, m.desc(desc.Streams[i].StreamName))
	}
	return wrapped, nil
}

// SetTrustDomain names the own trust domain, empty where mutual TLS is off. It must be called before the first call.
func (s *Server) SetTrustDomain(domain string) { s.trustDomain = domain }

// TrustDomain returns what SetTrustDomain was given.
func (s *Server) TrustDomain() string { return s.trustDomain }

// Unknown serves calls of methods that nobody registered: they are refused, and observed as one method, `_OTHER`.
func (s *Server) Unknown(_ any, stream grpc.ServerStream) error { return s.unknown.Serve(nil, stream) }

// Methods returns the methods wrapped so far, in the order of their registration.
func (s *Server) Methods() []*Method {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.methods)
}

// lookup returns the method of a name with its leading slash, nil if nobody registered it.
func (s *Server) lookup(fullMethod string) *Method { return (*s.byName.Load())[fullMethod] }

// Leave has HTTP/1 clients go elsewhere with their next request: answers close their connections from now on. No call
// is refused for overload any more: a service that stops serves what still comes.
func (s *Server) Leave() {
	s.leaving.Store(true)
	s.cfg.Admission.Open()
	s.obs.resources.open()
}

// Method is one method with everything resolved that a call of it needs.
type Method struct {
	*contract.Method
	server  *Server
	handler func(*call) error
	faults  atomic.Pointer[[]*fault.Rule] // to be injected; nil for none
	metrics methodMetrics
	prefix  string // of its lines in the access log
	index   int    // in the order of registration
}

func (s *Server) newMethod(record *contract.Method, handler func(*call) error) *Method {
	m := &Method{
		Method: record, server: s,
		prefix: linePrefix(record.Name), metrics: s.obs.metricsOf(record.Name),
	}
	m.handler = m.withFaults(handler)
	m.metrics.slo = s.obs.sloOf(record.Name, record.Objectives)
	if record.Overridden {
		s.obs.overridden.WithLabelValues(record.Name).Set(1)
	}
	return m
}

func (s *Server) add(m *Method) *Method {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.index = len(s.methods)
	s.methods = append(s.methods, m)
	byName := maps.Clone(*s.byName.Load())
	byName[m.FullMethod] = m
	s.byName.Store(&byName)
	s.obs.inFlight.add(m)
	return m
}

// InFlight returns the number of calls of m that run at this moment.
func (m *Method) InFlight() int { return int(m.metrics.traffic.inFlight.Load()) }

// Calls returns how many calls of m have ended, and how many of them with another code than OK.
func (m *Method) Calls() (ended, failed uint64) {
	return m.metrics.traffic.calls.Load(), m.metrics.traffic.failed.Load()
}

func (m *Method) desc(name string) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName: name, ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams, Handler: m.Serve,
	}
}

// unaryHandler runs a generated unary handler over the call's stream of one message each way.
func (s *Server) unaryHandler(desc *grpc.MethodDesc, impl any) func(*call) error {
	interceptor := chainUnary(s.cfg.Unary)
	return func(c *call) error {
		reply, err := desc.Handler(impl, c, c.RecvMsg, interceptor)
		if err != nil {
			return err
		}
		return c.SendMsg(reply)
	}
}

func (s *Server) streamHandler(desc *grpc.StreamDesc, impl any, record *contract.Method) func(*call) error {
	handler := desc.Handler
	info := &grpc.StreamServerInfo{
		FullMethod: record.FullMethod, IsClientStream: record.ClientStreams, IsServerStream: record.ServerStreams,
	}
	for i := len(s.cfg.Stream) - 1; i >= 0; i-- {
		interceptor, next := s.cfg.Stream[i], handler
		handler = func(srv any, ss grpc.ServerStream) error { return interceptor(srv, ss, info, next) }
	}
	return func(c *call) error { return handler(impl, c) }
}

func chainUnary(interceptors []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	switch len(interceptors) {
	case 0:
		return nil
	case 1:
		return interceptors[0]
	}
	rest := chainUnary(interceptors[1:])
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return interceptors[0](ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return rest(ctx, req, info, handler)
		})
	}
}
