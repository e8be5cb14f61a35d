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
	// noteEvery is how often an instance that is well looks how many there are.
	noteEvery = 30 * time.Second
	// searchEvery is the same for one that has not found itself among others yet: it is listed
	// only once it is ready.
	searchEvery = 10 * time.Second
	// forget is how long a larger fleet than there is now is still expected: it may just have
	// lost the instances that are gone, for the same reason that this one is about to lose its
	// dependency.
	forget = 10 * time.Minute
	// asked is how many of the others are asked at most. In a larger fleet they stand for all.
	asked = 32
	// patienceWithOne is the time in which DNS, and then each of the others, must answer.
	patienceWithOne = time.Second
)

// Fleet is the instances of the own service. One is shared by all dependencies.
type Fleet struct {
	// Host is a name whose addresses are those of the instances, as a headless Kubernetes service
	// has it.
	Host string
	// Lookup resolves it, as [net.Resolver.LookupHost] does.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Own returns the addresses of this machine.
	Own func() ([]net.Addr, error)
	// Ready asks the instance at an address whether it is ready.
	Ready func(ctx context.Context, address string) bool
	// Patience is how long a lost connection may take to come back before anything is decided; up
	// to as much again is added by chance, so that the instances decide one after the other. Zero
	// means 5 s.
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

// note looks how many instances there are, now and then. It counts only what lists this instance
// too: the one address of a balancer in front of all of them, or the instances of somebody else,
// say nothing about the others.
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

// needsUs says why this instance must stay ready although it lacks something; it is empty where
// at least half of the usual number of instances is ready without it. What it cannot find out is
// a reason to stay.
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
		return nil, false, nil // a name without addresses: nobody is ready
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

// ready returns how many of the others are ready. DNS says who was a minute ago; they know now.
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
