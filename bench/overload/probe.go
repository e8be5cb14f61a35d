package main

import (
	"context"
	"errors"
	"sync"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/bench/internal/certs"
)

const (
	probePeriod  = time.Second
	probeTimeout = time.Second
)

// probes is what became of them.
type probes struct {
	sent, failed int
	slowest      time.Duration // of those that succeeded
	lastError    error
}

// watch probes p until ctx ends, each kind once a second and each time on a new connection, as the
// kubelet does.
func watch(ctx context.Context, p *process, dir certs.Dir) probes {
	kinds := []func(context.Context) error{
		func(ctx context.Context) error { return p.get(ctx, "/readyz", nil) },
		func(ctx context.Context) error { return p.get(ctx, "/livez", nil) },
		func(ctx context.Context) error { return checkHealth(ctx, p.grpc, dir) },
	}
	seen := make([]probes, len(kinds))
	var all sync.WaitGroup
	for i, probe := range kinds {
		all.Go(func() { seen[i].repeat(ctx, probe) })
	}
	all.Wait()
	var sum probes
	for _, s := range seen {
		sum.sent += s.sent
		sum.failed += s.failed
		sum.slowest = max(sum.slowest, s.slowest)
		sum.lastError = errors.Join(sum.lastError, s.lastError)
	}
	return sum
}

func (s *probes) repeat(ctx context.Context, probe func(context.Context) error) {
	ticks := time.NewTicker(probePeriod)
	defer ticks.Stop()
	for {
		s.once(context.WithoutCancel(ctx), probe)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func (s *probes) once(ctx context.Context, probe func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	s.sent++
	if err := probe(ctx); err != nil {
		s.failed++
		s.lastError = err
		return
	}
	s.slowest = max(s.slowest, time.Since(began))
}

func checkHealth(ctx context.Context, addr string, dir certs.Dir) error {
	conn, err := dialOne(addr, dir, callers[small].name)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err == nil && answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		err = errors.New("gRPC health: " + answer.GetStatus().String())
	}
	return err
}
