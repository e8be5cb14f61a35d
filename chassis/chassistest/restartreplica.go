package chassistest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

// replica is a service on ports of the loopback interface.
type replica struct {
	*Running
	mu    sync.Mutex
	addrs map[string]string // by port: "grpc", "http"
}

func startReplica(t testing.TB, service chassis.Service, opts Options) *replica {
	t.Helper()
	r := &replica{addrs: map[string]string{}}
	r.Running = begin(t, service, opts, func(h *harness.Harness) {
		h.Listen = r.listen
		h.Source = opts.CA.source(t, service.Name)
	})
	r.WaitFor(chassis.Ready)
	return r
}

func (r *replica) listen(ctx context.Context, port, _ string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addrs[port] = l.Addr().String()
	return l, nil
}

// addr returns the address of a port, empty if there is none.
func (r *replica) addr(port string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addrs[port]
}

// endpoints are the replicas that the platform routes calls to.
type endpoints struct {
	resolver *manual.Resolver // follows the list

	mu     sync.Mutex
	listed []*replica
}

func newEndpoints() *endpoints {
	return &endpoints{resolver: manual.NewBuilderWithScheme("replicas")}
}

func (e *endpoints) add(r *replica) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listed = append(e.listed, r)
	e.publish()
}

func (e *endpoints) remove(r *replica) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listed = slices.DeleteFunc(e.listed, func(other *replica) bool { return other == r })
	e.publish()
}

// publish must be called with the lock held, so that the resolver gets changes in order.
func (e *endpoints) publish() {
	var state resolver.State
	for _, r := range e.listed {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: r.addr("grpc")}}})
	}
	e.resolver.UpdateState(state)
}

// dialer connects to any listed replica, like the virtual address of a cluster: clients never see
// the list, and a connection stays where it is when the list changes.
func (e *endpoints) dialer(port string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		addr := e.pick(port)
		if addr == "" {
			return nil, errors.New("chassistest: no replica is listed")
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

func (e *endpoints) pick(port string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listed) == 0 {
		return ""
	}
	return e.listed[rand.IntN(len(e.listed))].addr(port)
}
