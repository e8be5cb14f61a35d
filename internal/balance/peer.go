package balance

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// Options configure the metrics and the log of one connection's policy. The zero value of each
// field leaves its part out.
type Options struct {
	// Peer is the name of the called service. It is a label of metrics, so use few names.
	Peer string
	// Methods are distinguished in metrics. Attempts of other methods count as `_OTHER`, and
	// their durations are not compared, because they may be streams.
	Methods []*contract.Method
	// Advice says what to do if the service has no address, for people.
	Advice string
	// Logger logs replicas that are taken out or return. Nil discards.
	Logger *slog.Logger
	// Registerer registers the metrics. Several peers may share one. Nil registers none.
	Registerer prometheus.Registerer
}

// Peer is a called service and the state of its policy. Its methods may be called concurrently.
type Peer struct {
	name    string
	advice  string
	log     *slog.Logger
	methods map[string]*method // by what stands on the wire
	other   *method
	out     prometheus.Gauge
	ejected *prometheus.CounterVec // by reason
}

// NewPeer returns a peer and registers the metrics, unless another peer has done so. It fails if
// another metric has the same name.
func NewPeer(opts Options) (*Peer, error) {
	attempts, retries := catalog.RPCClientAttempts.CounterVec(), catalog.RPCClientRetries.CounterVec()
	ejections, out := catalog.RPCClientEjections.CounterVec(), catalog.RPCClientEjected.GaugeVec()
	for _, c := range []**prometheus.CounterVec{&attempts, &retries, &ejections} {
		if err := catalog.Register(opts.Registerer, c); err != nil {
			return nil, err
		}
	}
	if err := catalog.Register(opts.Registerer, &out); err != nil {
		return nil, err
	}
	p := &Peer{
		name: opts.Peer, advice: opts.Advice,
		log: opts.Logger, methods: make(map[string]*method, len(opts.Methods)), out: out.WithLabelValues(opts.Peer),
		ejected: ejections.MustCurryWith(prometheus.Labels{"server_address": opts.Peer}),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("peer", opts.Peer)
	p.other = &method{name: "_OTHER"}
	for _, reason := range []string{reasonFailures, reasonLatency} {
		p.ejected.WithLabelValues(reason)
	}
	for _, m := range opts.Methods {
		p.methods[m.FullMethod] = &method{name: m.Name, timed: m.Unary(), index: (len(p.methods) + 1) % mostMethods}
	}
	labels := func(m *method) prometheus.Labels {
		return prometheus.Labels{"rpc_method": m.name, "server_address": opts.Peer}
	}
	for _, m := range p.methods {
		m.attempts.vec, m.retries.vec = attempts.MustCurryWith(labels(m)), retries.MustCurryWith(labels(m))
	}
	p.other.attempts.vec, p.other.retries.vec = attempts.MustCurryWith(labels(p.other)), retries.MustCurryWith(labels(p.other))
	return p, nil
}

// Credentials returns creds with the peer in them, for the connection that uses the policy.
func (p *Peer) Credentials(creds credentials.TransportCredentials) credentials.TransportCredentials {
	return carrier{creds, p}
}

// carrier passes a peer to the policy; see the package documentation.
type carrier struct {
	credentials.TransportCredentials
	peer *Peer
}

// Clone returns a copy that carries the same peer.
func (c carrier) Clone() credentials.TransportCredentials {
	return carrier{c.TransportCredentials.Clone(), c.peer}
}

// peerOf returns the peer in creds, or one without metrics.
func peerOf(creds credentials.TransportCredentials) *Peer {
	if c, ok := creds.(carrier); ok {
		return c.peer
	}
	p, _ := NewPeer(Options{}) // without a registerer nothing can fail
	return p
}

// lookup returns the method of a name with its leading slash.
func (p *Peer) lookup(fullMethod string) *method {
	if m := p.methods[fullMethod]; m != nil {
		return m
	}
	return p.other
}

// method is one method of the service.
type method struct {
	name              string
	index             int  // under which attempts are compared; 0 for those that are not distinguished
	timed             bool // its durations can be compared
	attempts, retries byCode
	born              sync.Once // their counters are there
}

// fromZero makes the counters of the codes by which a dependency fails, so that Prometheus sees
// their first event. The first attempt does it at the latest.
func (m *method) fromZero() {
	m.born.Do(func() {
		for _, code := range []codes.Code{
			codes.OK, codes.Unknown, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Unavailable,
		} {
			m.attempts.of(code)
		}
		m.retries.of(codes.Unavailable)
	})
}

// FromZero makes the counters of methods before their first call.
func (p *Peer) FromZero(methods []*contract.Method) {
	for _, m := range methods {
		p.lookup(m.FullMethod).fromZero()
	}
}

// byCode are the counters of a vector whose only free label is a status code.
type byCode struct {
	vec      *prometheus.CounterVec
	resolved rpcstatus.PerCode[prometheus.Counter]
}

func (b *byCode) inc(code codes.Code) { b.of(code).Inc() }

// of returns the counter of a code.
func (b *byCode) of(code codes.Code) prometheus.Counter {
	return b.resolved.Get(code, func(code codes.Code) prometheus.Counter { return b.vec.WithLabelValues(rpcstatus.Name(code)) })
}
