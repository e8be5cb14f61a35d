package dependency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// noteEvery is the interval at which a healthy instance counts the instances.
	noteEvery = 30 * time.Second
	// searchEvery is the same for an instance that is not listed yet: it is listed only once it
	// is ready.
	searchEvery = 10 * time.Second
	// forget is the time for which a larger fleet than the present one is still expected. The
	// missing instances may have left for the same reason for which this one is about to lose its
	// dependency.
	forget = 10 * time.Minute
	// asked is the largest number of other instances that are asked. In a larger fleet they are a
	// sample.
	asked = 32
	// patienceWithOne bounds the answer of DNS, and then the answer of each other instance.
	patienceWithOne = time.Second
)

// Fleet is the instances of the own service. All dependencies share one.
type Fleet struct {
	// Host is a name that resolves to the addresses of the instances, such as a headless
	// Kubernetes service.
	Host string
	// Lookup resolves it, as [net.Resolver.LookupHost] does.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Own returns the addresses of this machine.
	Own func() ([]net.Addr, error)
	// Ready asks the instance at an address whether it is ready.
	Ready func(ctx context.Context, address string) bool
	// Patience is the time that a lost connection has to come back before a decision. Up to the
	// same time is added at random, so that the instances decide one after the other. Zero means
	// 5 s.
	Patience time.Duration

	mu    sync.Mutex
	usual int       // instances, this one among them; 0 while that is not known
	seen  time.Time // when there were as many
	noted time.Time // when it was looked last
}

func (f *Fleet) patience() time.Duration {
	if f.Patience > 0 {
		return f.Patience
	}
	return 5 * time.Second
}

// note counts the instances at intervals. It ignores an answer that does not list this instance:
// the single address of a balancer, or the instances of another service.
func (f *Fleet) note(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, pause := time.Now(), noteEvery
	if f.usual == 0 {
		pause = searchEvery
	}
	if !f.noted.IsZero() && now.Sub(f.noted) < pause {
		return
	}
	f.noted = now
	others, listed, err := f.others(ctx)
	if err != nil || !listed {
		return
	}
	if n := len(others) + 1; n >= f.usual || now.Sub(f.seen) > forget {
		f.usual, f.seen = n, now
	}
}

// needsUs returns the reason why this instance must stay ready although it has lost a dependency.
// It is empty if at least half of the usual number of instances are ready without this one. If it
// cannot find out, the instance must stay.
func (f *Fleet) needsUs(ctx context.Context) string {
	f.mu.Lock()
	usual := f.usual
	f.mu.Unlock()
	if usual == 0 {
		return f.Host + " has never listed this instance among others, so nobody knows who else is ready"
	}
	others, _, err := f.others(ctx)
	if err != nil {
		return fmt.Sprintf("%s cannot be looked up: %v", f.Host, err)
	}
	if ready := f.ready(ctx, others); 2*ready < usual {
		return fmt.Sprintf("%d of usually %d instances are ready beside this one, less than half", ready, usual)
	}
	return ""
}

// others returns the addresses of the other instances, and whether this one is listed with them.
func (f *Fleet) others(ctx context.Context) (others []string, listed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patienceWithOne)
	defer cancel()
	addresses, err := f.Lookup(ctx, f.Host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return nil, false, nil // a name without addresses: none is ready
	}
	if err != nil {
		return nil, false, err
	}
	own, err := f.Own()
	if err != nil {
		return nil, false, err
	}
	mine := make(map[string]bool, len(own))
	for _, address := range own {
		if network, ok := address.(*net.IPNet); ok {
			mine[network.IP.String()] = true
		}
	}
	for _, address := range addresses {
		if mine[canonical(address)] {
			listed = true
		} else {
			others = append(others, address)
		}
	}
	return others, listed, nil
}

func canonical(address string) string {
	if ip := net.ParseIP(address); ip != nil {
		return ip.String()
	}
	return address
}

// ready returns how many of the others are ready. DNS may be a minute old, so they are asked.
func (f *Fleet) ready(ctx context.Context, others []string) int {
	ctx, cancel := context.WithTimeout(ctx, patienceWithOne)
	defer cancel()
	sample := others
	if len(others) > asked {
		rand.Shuffle(len(others), func(a, b int) { others[a], others[b] = others[b], others[a] })
		sample = others[:asked]
	}
	var ready atomic.Int64
	var wait sync.WaitGroup
	for _, address := range sample {
		wait.Go(func() {
			if f.Ready(ctx, address) {
				ready.Add(1)
			}
		})
	}
	wait.Wait()
	if len(sample) == 0 {
		return 0
	}
	return int(ready.Load()) * len(others) / len(sample)
}
