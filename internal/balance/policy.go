package balance

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// Name is the name of the policy in a service config. It has no configuration.
const Name = "paddock"

// weights is the configuration of weighted_round_robin. Reports come with answers and need no
// stream of their own. A weight is used when it is two seconds old, and dropped after ten seconds
// without a report, because a server with little load sends none. Failed calls count as
// utilization: failing is often cheaper than serving, so a replica that fails now and then would
// otherwise attract calls until it is taken out.
const weights = `{"blackoutPeriod": "2s", "weightExpirationPeriod": "10s", "weightUpdatePeriod": "0.5s", "errorUtilizationPenalty": 1}`

func init() { balancer.Register(builder{}) } //nolint:gochecknoinits // gRPC's registry may be written to only while the process begins

type builder struct{}

func (builder) Name() string { return Name }

// Build is called for each connection, and again when an idle one wakes up.
func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	p := newPolicy(peerOf(opts.DialCreds), time.Now())
	p.ClientConn = cc
	child := balancer.Get(weightedroundrobin.Name)
	p.childConfig, p.configErr = child.(balancer.ConfigParser).ParseConfig([]byte(weights))
	p.child = child.Build(p, opts)
	return p
}

// policy balances one connection. It stands between gRPC and weighted_round_robin, and plays the
// role of each for the other.
type policy struct {
	balancer.ClientConn // of gRPC
	child               balancer.Balancer
	childConfig         serviceconfig.LoadBalancingConfig
	configErr           error
	peer                *Peer
	failed              failedAttempts
	clock               clock
	judge               *judge
	unresolved          atomic.Pointer[error] // why there is no address; nil if there is one

	mu        sync.Mutex
	byAddress map[string]*replica // every address of each
}

func newPolicy(peer *Peer, now time.Time) *policy {
	return &policy{peer: peer, clock: clock(now), judge: newJudge(peer)}
}

// The side that gRPC sees.
var _ balancer.Balancer = (*policy)(nil)

func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	if p.configErr != nil {
		return fmt.Errorf("balance: %s: %w", weightedroundrobin.Name, p.configErr)
	}
	if len(s.ResolverState.Endpoints) > 0 {
		p.unresolved.Store(nil)
	}
	p.resolved(s.ResolverState.Endpoints)
	return p.child.UpdateClientConnState(balancer.ClientConnState{ResolverState: s.ResolverState, BalancerConfig: p.childConfig})
}

func (p *policy) ResolverError(err error) {
	p.mu.Lock()
	known := len(p.byAddress) > 0
	p.mu.Unlock()
	if !known {
		p.unresolved.Store(&err)
	}
	p.child.ResolverError(err)
}

func (p *policy) ExitIdle()                                                  { p.child.ExitIdle() }
func (p *policy) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {} // replaced by listeners

func (p *policy) Close() {
	p.child.Close()
	p.resolved(nil)
}

// resolved replaces the endpoints. Known ones keep their state.
func (p *policy) resolved(endpoints []resolver.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	replicas, byAddress := make([]*replica, 0, len(endpoints)), make(map[string]*replica, len(endpoints))
	for _, endpoint := range endpoints {
		if len(endpoint.Addresses) == 0 {
			continue
		}
		first := endpoint.Addresses[0].Addr
		if byAddress[first] != nil { // named twice
			continue
		}
		r := p.byAddress[first]
		if r == nil || slices.Contains(replicas, r) { // unknown, or a part of what was one endpoint
			r = &replica{address: first}
			r.since.Store(int64(now))
		}
		replicas = append(replicas, r)
		for _, address := range endpoint.Addresses {
			byAddress[address.Addr] = r
		}
	}
	p.byAddress = byAddress
	p.judge.replace(replicas, now)
}

// The side that weighted_round_robin sees.
var _ balancer.ClientConn = (*policy)(nil)

func (p *policy) UpdateState(s balancer.State) {
	s.Picker = &picker{policy: p, child: s.Picker}
	p.ClientConn.UpdateState(s)
}

func (p *policy) NewSubConn(addresses []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	p.mu.Lock()
	r := p.byAddress[addresses[0].Addr]
	p.mu.Unlock()
	if r == nil { // it left meanwhile
		r = &replica{address: addresses[0].Addr}
	}
	if listener := opts.StateListener; listener != nil {
		opts.StateListener = func(s balancer.SubConnState) {
			if s.ConnectivityState == connectivity.Ready {
				r.since.Store(int64(p.clock.now())) // it had no calls while there was no connection
			}
			listener(s)
		}
	}
	sc, err := p.ClientConn.NewSubConn(addresses, opts) //nolint:staticcheck // deprecated for more than one address, of which there are none
	if err != nil {
		return nil, err
	}
	return &subConn{sc, r}, nil
}

// subConn is a connection to a replica.
type subConn struct {
	balancer.SubConn
	replica *replica
}
