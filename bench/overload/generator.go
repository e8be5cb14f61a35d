package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/bench/internal/certs"
	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
)

// The callers, as indices.
const (
	large = iota
	small
)

// callers are whom the calls come from.
var callers = [...]struct {
	name        string // in its certificate
	share       float64
	connections int
}{
	large: {"large", .9, 6},
	small: {"small", .1, 2},
}

// mostOutstanding bounds the calls that the generator has under way. It is several times what the deadline lets pile up.
const mostOutstanding = 4096

// generator sends calls over connections that are open.
type generator struct {
	deadline time.Duration
	clients  [][]overloadv1.WorkServiceClient // by caller
	conns    []*grpc.ClientConn
}

func dial(ctx context.Context, addr string, dir certs.Dir, deadline time.Duration) (*generator, error) {
	g := &generator{deadline: deadline, clients: make([][]overloadv1.WorkServiceClient, len(callers))}
	for i, caller := range callers {
		for range caller.connections {
			conn, err := dialOne(addr, dir, caller.name)
			if err != nil {
				return nil, errors.Join(err, g.close())
			}
			g.conns = append(g.conns, conn)
			g.clients[i] = append(g.clients[i], overloadv1.NewWorkServiceClient(conn))
			if err := connect(ctx, conn); err != nil {
				return nil, errors.Join(err, g.close())
			}
		}
	}
	return g, nil
}

func dialOne(addr string, dir certs.Dir, caller string) (*grpc.ClientConn, error) {
	config, err := dir.ClientTLS(caller, "h2")
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func connect(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for conn.Connect(); ; {
		state := conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if !conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("no connection to %s: %s: %w", conn.Target(), state, ctx.Err())
		}
	}
}

func (g *generator) close() error {
	var errs []error
	for _, conn := range g.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// open sends every call when it is due, whatever became of those before, and returns when all have ended.
func (g *generator) open(ctx context.Context, phases [][]call) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	outstanding := make(chan struct{}, mostOutstanding)
	begin := time.Now()
	for _, phase := range phases {
		for i := range phase {
			c := &phase[i]
			time.Sleep(time.Until(begin.Add(c.due)))
			if err := ctx.Err(); err != nil {
				return err
			}
			select {
			case outstanding <- struct{}{}:
				client := g.clients[c.caller][i%len(g.clients[c.caller])]
				calls.Go(func() {
					g.send(ctx, begin.Add(c.due), c, client)
					<-outstanding
				})
			default: // c stays unsent
			}
		}
	}
	return nil
}

// send makes one call and notes what became of it.
func (g *generator) send(ctx context.Context, due time.Time, c *call, client overloadv1.WorkServiceClient) {
	ctx, cancel := context.WithDeadline(ctx, due.Add(g.deadline))
	defer cancel()
	c.lag = time.Since(due)
	c.outcome = outcomeOf(c.criticality.send(ctx, client))
	c.took = time.Since(due)
	if c.outcome == served && c.took > g.deadline {
		c.outcome = expired // the answer was on its way, and nobody waits for it any more
	}
}

// closed keeps atOnce calls under way and returns how many are served in a second.
func (g *generator) closed(ctx context.Context, atOnce int, lasts time.Duration) float64 {
	const backOff = 5 * time.Millisecond // after a refusal, or the generator would outrun the server
	counts := make([]int, atOnce)
	var workers sync.WaitGroup
	begin := time.Now()
	for i := range atOnce {
		workers.Go(func() {
			clients := g.clients[large]
			client := clients[i%len(clients)]
			for time.Since(begin) < lasts && ctx.Err() == nil {
				c := call{criticality: normal}
				g.send(ctx, time.Now(), &c, client)
				if c.outcome == served {
					counts[i]++
				} else {
					time.Sleep(backOff)
				}
			}
		})
	}
	workers.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds()
}
