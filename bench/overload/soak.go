package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/betmakers/paddock/bench/internal/certs"
	"github.com/betmakers/paddock/bench/internal/cores"
	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
)

const (
	restarts   = 2 // of each replica
	sampled    = 15 * time.Second
	renewed    = 30 * time.Second
	stoodStill = 20 * time.Second
	noticed    = 200 * time.Millisecond // by who balances calls by REST
)

// reconnect is how soon clients try again to reach a replica that was restarted.
var reconnect = backoff.Config{BaseDelay: 100 * ms, Multiplier: 1.6, Jitter: .2, MaxDelay: time.Second} //nolint:gochecknoglobals // it does not change

// soak sends all honest shapes, mixed, to two replicas, while a neighbour takes the processors now
// and then, the processes stand still, certificates are renewed, and the replicas are restarted one
// after the other, twice.
func soak(ctx context.Context, out io.Writer, lasts time.Duration, dir certs.Dir) error {
	s := &soaked{dir: dir, lasts: lasts}
	defer s.stop()
	for i := range s.replicas {
		service, err := start(ctx, cores.Pair{}, dir, honestShape, "on", "CHASSIS_CALL_TIMEOUT=5m", "OTEL_TRACES_EXPORTER=none")
		if err != nil {
			return err
		}
		s.replicas[i].process = service
		s.replicas[i].ready.Store(true)
	}
	g, err := s.dial(ctx)
	if err != nil {
		return err
	}
	calls := shape{loads: func(time.Duration) []load { return soakLoads() }}.schedule(lasts)
	fmt.Fprintf(out, "soak of %s: %d calls to two replicas\n", lasts, len(calls))

	loading, end := context.WithTimeout(ctx, lasts)
	defer end()
	var beside sync.WaitGroup
	errs := make(chan error, 5)
	for _, do := range []func(context.Context) error{
		s.restart, s.renew, s.standStill, s.notice,
		func(ctx context.Context) error { return neighbour(ctx, nil) },
	} {
		beside.Go(func() { errs <- do(loading) })
	}
	beside.Go(func() { s.sample(loading) })
	failure := errors.Join(g.open(ctx, calls), g.close())
	beside.Wait()
	for range cap(errs) {
		failure = errors.Join(failure, <-errs)
	}
	return errors.Join(failure, s.report(ctx, out, calls))
}

// stop ends the replicas that there are.
func (s *soaked) stop() {
	for i := range s.replicas {
		if s.replicas[i].process != nil {
			s.replicas[i].stop()
		}
	}
}

// soaked is a soak under way.
type soaked struct {
	dir      certs.Dir
	lasts    time.Duration
	replicas [2]replica

	moving   sync.Mutex // held while a replica is restarted, or stands still
	renewals atomic.Int64
	stops    atomic.Int64
	restarts atomic.Int64
	samples  [2][]reading
	lived    metrics // of the lives that are over
}

// replica is one process after the other at the same addresses.
type replica struct {
	*process
	ready atomic.Bool // as a load balancer sees it
	life  int
}

// reading is what a process had at a time.
type reading struct {
	at                       time.Duration
	life                     int
	resident                 uint64
	heap, goroutines, queued float64
}

// dial opens the callers' connections: by gRPC to both replicas by turns, by REST to one that is
// ready.
func (s *soaked) dial(ctx context.Context) (*generator, error) {
	g := &generator{send: s.send}
	addresses := resolver.State{}
	for i := range s.replicas {
		addresses.Addresses = append(addresses.Addresses, resolver.Address{Addr: s.replicas[i].grpc})
	}
	for i, caller := range callers {
		config, err := s.dir.ClientTLS(caller.name, "h2")
		if err != nil {
			return nil, err
		}
		both := manual.NewBuilderWithScheme("both")
		both.InitialState(addresses)
		conn, err := grpc.NewClient("both:///", grpc.WithResolvers(both), grpc.WithTransportCredentials(credentials.NewTLS(config)),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}))
		if err != nil {
			return nil, err
		}
		web, err := openConnection(ctx, s.replicas[0].process, s.dir, "h2", caller.name)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(web.grpc.Close(), connect(ctx, conn)); err != nil {
			return nil, err
		}
		g.conns[i] = append(g.conns[i], &connection{
			grpc: conn, work: web.work, honest: overloadv1.NewHonestServiceClient(conn), http: web.http,
		})
	}
	return g, nil
}

func (s *soaked) send(ctx context.Context, conn *connection, c *call) error {
	if c.ask.way != byREST {
		return sendHonest(ctx, conn, c)
	}
	at := int(c.due/ms) % len(s.replicas)
	if !s.replicas[at].ready.Load() {
		at = (at + 1) % len(s.replicas)
	}
	to := *conn
	to.url = "https://" + s.replicas[at].http
	return sendHonest(ctx, &to, c)
}

// notice looks which replica is ready, as a load balancer does. One that does not answer stays as
// it was.
func (s *soaked) notice(ctx context.Context) error {
	var all sync.WaitGroup
	for i := range s.replicas {
		all.Go(func() {
			for pause(ctx, noticed) {
				asking, end := context.WithTimeout(ctx, time.Second)
				err := s.replicas[i].get(asking, "/readyz", nil)
				if asking.Err() == nil {
					s.replicas[i].ready.Store(err == nil)
				}
				end()
			}
		})
	}
	all.Wait()
	return nil
}

// restart restarts one replica after the other, twice.
func (s *soaked) restart(ctx context.Context) error {
	for range restarts {
		if !pause(ctx, s.lasts/(restarts+1)) {
			return nil
		}
		for i := range s.replicas {
			if err := s.restartOne(ctx, i); err != nil {
				return fmt.Errorf("replica %d: %w", i, err)
			}
		}
	}
	return nil
}

func (s *soaked) restartOne(ctx context.Context, i int) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	seen, err := s.replicas[i].scrape(ctx)
	if err != nil {
		return err
	}
	s.lived = s.lived.plus(seen)
	if err := s.replicas[i].leave(); err != nil {
		return err
	}
	if err := s.replicas[i].begin(ctx, cores.Pair{}); err != nil {
		return err
	}
	s.replicas[i].life++
	s.restarts.Add(1)
	pause(ctx, 3*reconnect.MaxDelay) // a deployment that waits for less takes the last replica away from clients
	return nil
}

// renew gives both replicas other certificates, again and again.
func (s *soaked) renew(ctx context.Context) error {
	for pause(ctx, renewed) {
		if err := s.dir.Renew("work"); err != nil {
			return err
		}
		s.renewals.Add(1)
	}
	return nil
}

// standStill has one replica after the other stand still for half a second.
func (s *soaked) standStill(ctx context.Context) (err error) {
	for turn := 0; pause(ctx, stoodStill) && err == nil; turn++ {
		s.moving.Lock()
		stopping, end := context.WithTimeout(ctx, 2*time.Second+500*ms)
		err = stops(stopping, s.replicas[turn%len(s.replicas)].process)
		end()
		s.moving.Unlock()
		s.stops.Add(1)
	}
	return err
}

// sample notes what the replicas have, again and again.
func (s *soaked) sample(ctx context.Context) {
	begin := time.Now()
	for pause(ctx, sampled) {
		s.moving.Lock()
		for i := range s.replicas {
			seen, err := s.replicas[i].scrape(ctx)
			if err != nil {
				continue
			}
			s.samples[i] = append(s.samples[i], reading{
				at: time.Since(begin), life: s.replicas[i].life, resident: s.replicas[i].usage().resident,
				heap: seen["go_memstats_heap_alloc_bytes"], goroutines: seen["go_goroutines"], queued: seen[metricQueued],
			})
		}
		s.moving.Unlock()
	}
}

// report prints what became of the calls and of the processes. It fails if a call was refused or
// lost.
func (s *soaked) report(ctx context.Context, out io.Writer, calls []call) error {
	for i := range s.replicas {
		seen, err := s.replicas[i].scrape(ctx)
		if err != nil {
			return err
		}
		s.lived = s.lived.plus(seen)
	}
	sent := len(calls) - count(calls, is(unsent))
	bad := count(calls, is(refused)) + count(calls, lost)
	fmt.Fprintf(out, "%d sent, %d refused, %d lost; the service counted %.0f whose time ran out while they were held back, which it did for %.3f s, all together\n",
		sent, count(calls, is(refused)), count(calls, lost), s.lived[metricRejected], s.lived[metricWaited])
	fmt.Fprintf(out, "%d restarts, %d renewals of certificates (%.0f taken in), %d times a replica stood still\n",
		s.restarts.Load(), s.renewals.Load(), s.lived["chassis_certificate_reloads_total"], s.stops.Load())
	fmt.Fprintf(out, "answers later than asked for, p50, p99 and most: %s\n", inMs(
		quantile(only(calls, is(served)), .5, extra), quantile(only(calls, is(served)), .99, extra), quantile(only(calls, is(served)), 1, extra)))
	for i := range s.samples {
		fmt.Fprintf(out, "\nreplica %d\n| at | life | resident, MiB | heap, MiB | goroutines | queued |\n|---:|---:|---:|---:|---:|---:|\n", i)
		for _, at := range s.samples[i] {
			fmt.Fprintf(out, "| %s | %d | %d | %.1f | %.0f | %.0f |\n", at.at.Round(time.Second), at.life, at.resident>>20, at.heap/(1<<20), at.goroutines, at.queued)
		}
	}
	for _, c := range calls {
		if lost(c) || c.outcome == refused {
			fmt.Fprintf(out, "at %s: %+v ended with %s after %s\n", c.due, c.ask, c.code, c.took)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d calls were refused or lost", bad)
	}
	return nil
}

// plus returns the sums of both.
func (m metrics) plus(other metrics) metrics {
	sum := metrics{}
	for _, one := range []metrics{m, other} {
		for name, value := range one {
			sum[name] += value
		}
	}
	return sum
}
