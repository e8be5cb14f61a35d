package neighbours

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
)

// Scheme is the scheme of targets for the Builder: paddock:///NAME.
const Scheme = "paddock"

const (
	look    = 500 * time.Millisecond // between two looks into the folder
	askFor  = 2 * time.Second        // that a lookup by DNS may take
	askRest = 5 * time.Second        // between two lookups by DNS
)

// Builder makes resolvers of the names of services: to their addresses in Folder, or, for a name
// that has none, to those that DNS has for the name, with Port.
type Builder struct {
	Folder     Folder
	Port       string
	LookupHost func(ctx context.Context, host string) ([]string, error)
}

// Scheme returns the constant of that name.
func (b *Builder) Scheme() string { return Scheme }

// Build starts a resolver.
func (b *Builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &finder{builder: b, name: target.Endpoint(), cc: cc, cancel: cancel, now: make(chan struct{}, 1)}
	r.running.Go(func() { r.run(ctx) })
	return r, nil
}

// finder resolves one name again and again.
type finder struct {
	builder *Builder
	name    string
	cc      resolver.ClientConn
	cancel  context.CancelFunc
	running sync.WaitGroup
	now     chan struct{}

	// Of the goroutine:
	had   []string
	asked time.Time // when DNS was
}

// ResolveNow has the folder looked at.
func (r *finder) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case r.now <- struct{}{}:
	default:
	}
}

// Close ends the resolver, and waits for its goroutine.
func (r *finder) Close() {
	r.cancel()
	r.running.Wait()
}

func (r *finder) run(ctx context.Context) {
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		r.resolve(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		case <-r.now:
		}
	}
}

// resolve reports what has changed.
func (r *finder) resolve(ctx context.Context) {
	addrs := r.builder.Folder.Addresses(r.name)
	if len(addrs) == 0 {
		if time.Since(r.asked) < askRest {
			return
		}
		hosts, err := r.ask(ctx)
		if err != nil {
			if r.had != nil {
				_ = r.cc.UpdateState(resolver.State{}) // calls to what has left would be refused
			}
			r.had = nil
			r.cc.ReportError(fmt.Errorf("no %s runs on this machine, and %w", r.name, err))
			return
		}
		for _, host := range hosts {
			addrs = append(addrs, net.JoinHostPort(host, r.builder.Port))
		}
		slices.Sort(addrs)
	}
	if slices.Equal(addrs, r.had) {
		return
	}
	r.had = addrs
	var endpoints []resolver.Endpoint
	for _, addr := range addrs {
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	_ = r.cc.UpdateState(resolver.State{Endpoints: endpoints}) // it asks for another look itself
}

func (r *finder) ask(ctx context.Context) ([]string, error) {
	r.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return r.builder.LookupHost(ctx, r.name)
}
