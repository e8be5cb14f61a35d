package balance

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// Options say what the policy of one connection counts in and tells. The zero value of each field leaves its part out.
type Options struct {
	// Peer is the name of the service, a label of the metrics: there must be few of them.
	Peer string
	// Methods are those that can be told apart in metrics. Attempts of others count as `_OTHER`, and their durations tell
	// nothing about a replica: they may be streams.
	Methods []*contract.Method
	// Logger is told of replicas that are taken out and that come back. Nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics. Several peers may share one. Nil leaves them unregistered.
	Registerer prometheus.Registerer
}

// Peer is a service as the policy of the connection to it sees it. All methods may be called concurrently.
type Peer struct {
	log     *slog.Logger
	methods map[string]*method // by what stands on the wire
	other   *method
	out     prometheus.Gauge
	ejected *prometheus.CounterVec // by reason
}

// NewPeer returns a peer and registers the metrics, unless another peer has done so. It fails where a metric of the same
// name is something else.
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
		log: opts.Logger, methods: make(map[string]*method, len(opts.Methods)), out: out.WithLabelValues(opts.Peer),
		ejected: ejections.MustCurryWith(prometheus.Labels{"server_address": opts.Peer}),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("peer", opts.Peer)
	p.other = &method{name: "_OTHER"}
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

// Credentials returns creds with the peer in them, for the connection that is to have the policy.
func (p *Peer) Credentials(creds credentials.TransportCredentials) credentials.TransportCredentials {
	return carrier{creds, p}
}

// carrier brings a peer to the policy: see the package's documentation.
type carrier struct {
	credentials.TransportCredentials
	peer *Peer
}

// Clone returns a copy that carries the same peer.
func (c carrier) Clone() credentials.TransportCredentials {
	return carrier{c.TransportCredentials.Clone(), c.peer}
}

// peerOf returns the peer that creds carry, or one that counts for nobody.
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
	index             int  // under which attempts are compared; 0 for those that are not told apart
	timed             bool // its durations can be compared
	attempts, retries byCode
}

// byCode are the counters of a vector whose one free label is a status code.
type byCode struct {
	vec      *prometheus.CounterVec
	resolved rpcstatus.PerCode[prometheus.Counter]
}

func (b *byCode) inc(code codes.Code) {
	b.resolved.Get(code, func(code codes.Code) prometheus.Counter { return b.vec.WithLabelValues(rpcstatus.Name(code)) }).Inc()
}
