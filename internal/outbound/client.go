package outbound

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/served"
)

// Client is the client's side of the chain: span, metrics, trace headers and deadline budget of
// each call that the service makes. Its methods may be called concurrently.
type Client struct {
	cfg      Config
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	hedges   *prometheus.CounterVec

	mu         sync.Mutex
	components map[string]*served.Component // what calls spend time on, by name
}

// component returns the component of a name, always the same.
func (c *Client) component(name string) *served.Component {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.components[name] == nil {
		if c.components == nil {
			c.components = map[string]*served.Component{}
		}
		c.components[name] = &served.Component{Name: name}
	}
	return c.components[name]
}

// NewClient returns a client's side and registers its metrics. It fails if a metric of the same
// name is registered already.
func NewClient(cfg Config) (*Client, error) {
	c := &Client{
		cfg: cfg, duration: catalog.RPCClientCallDuration.Native(cfg.NativeHistograms).HistogramVec(),
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

// peerCalls are the calls to one service. Its maps do not change.
type peerCalls struct {
	client     *Client
	name       string
	configured bool
	methods    map[string]*clientMethod // by what stands on the wire
	other      *clientMethod
	hedges     hedgeBudget
	component  *served.Component
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

// clientMethod is one method of one service with everything that its calls need, resolved once.
type clientMethod struct {
	peer       *peerCalls
	name       string
	unary      bool
	timeout    time.Duration
	hedgeAfter time.Duration // zero: never
	byCode     rpcstatus.PerCode[catalog.HistogramChild]
	born       sync.Once // its counters are there
}

// fromZero makes the counters of the method, so that Prometheus sees their first event. The first
// call does it at the latest.
func (m *clientMethod) fromZero() {
	m.born.Do(func() { m.peer.client.fromZero(m.peer.name, m.name, m.hedgeAfter > 0) })
}

// FromZero makes the counters of methods of a service before their first call.
func (c *Client) FromZero(peer string, methods []*contract.Method) {
	for _, m := range methods {
		c.fromZero(peer, m.Name, m.HedgeAfter > 0)
	}
}

func (c *Client) fromZero(peer, method string, hedged bool) {
	c.refused.WithLabelValues(method, peer, refusedSpent)
	if !hedged {
		return
	}
	for _, result := range []string{hedgeWon, hedgeLost, hedgeWithheld} {
		c.hedges.WithLabelValues(method, peer, result)
	}
}

// duration returns the catalog.HistogramChild of a code.
func (m *clientMethod) duration(code codes.Code) catalog.HistogramChild {
	return m.byCode.Get(code, func(code codes.Code) catalog.HistogramChild {
		failed := ""
		if code != codes.OK {
			failed = rpcstatus.Name(code)
		}
		return m.peer.client.duration.WithLabelValues(m.name, m.peer.name, rpcstatus.Name(code), failed, catalog.GRPC).(catalog.HistogramChild)
	})
}

// decode returns the caller's form of err.
func (c *Client) decode(err error) error {
	if err == nil || c.cfg.Decode == nil {
		return err
	}
	return c.cfg.Decode(err)
}
