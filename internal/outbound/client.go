package outbound

import (
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/catalog"
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

// Client is the client's side of the chain: span, metrics, trace headers and deadline budget of each call that the service
// makes. All methods may be called concurrently.
type Client struct {
	cfg      Config
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	hedges   *prometheus.CounterVec
}

// NewClient returns a client's side and registers its metrics. It fails where a metric of the same name is registered
// already.
func NewClient(cfg Config) (*Client, error) {
	c := &Client{
		cfg: cfg, duration: catalog.RPCClientCallDuration.HistogramVec(),
		refused: catalog.RPCClientRefused.CounterVec(), hedges: catalog.RPCClientHedges.CounterVec(),
	}
	if cfg.Registerer == nil {
		return c, nil
	}
	var errs []error
	for _, collector := range []prometheus.Collector{c.duration, c.refused, c.hedges} {
		errs = append(errs, cfg.Registerer.Register(collector))
	}
	return c, errors.Join(errs...)
}

// DialOptions returns what a connection to a service needs so that each of its calls, unary or stream, runs through the
// pass. Name is the name of the service, a label of the metrics: there must be few of them. Configured says that the
// connection's service config has the timeouts of the methods; else the pass sees to them, which costs more. Given before
// others, the pass stands outermost of the interceptors.
func (c *Client) DialOptions(name string, configured bool) []grpc.DialOption {
	p := &peerCalls{client: c, name: name, configured: configured, methods: make(map[string]*clientMethod, len(c.cfg.Methods))}
	for _, m := range c.cfg.Methods {
		p.methods[m.FullMethod] = p.method(m)
	}
	p.other = p.method(&contract.Method{Name: "_OTHER", ClientStreams: true, ServerStreams: true})
	p.hedges.tenths.Store(hedgeSaving)
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(p.unary), grpc.WithChainStreamInterceptor(p.stream)}
}

// peerCalls are the calls to one service. Its maps are not changed once it is made.
type peerCalls struct {
	client     *Client
	name       string
	configured bool
	methods    map[string]*clientMethod // by what stands on the wire
	other      *clientMethod
	hedges     hedgeBudget
}

func (p *peerCalls) method(m *contract.Method) *clientMethod {
	return &clientMethod{peer: p, name: m.Name, unary: m.Unary(), timeout: m.Timeout, hedgeAfter: m.HedgeAfter}
}

// lookup returns the method of a name with its leading slash.
func (p *peerCalls) lookup(fullMethod string) *clientMethod {
	if m := p.methods[fullMethod]; m != nil {
		return m
	}
	return p.other
}
