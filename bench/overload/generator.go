package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/betmakers/paddock/bench/internal/certs"
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

// mostOutstanding bounds the calls that the generator has under way. It is several times what the
// deadline lets pile up.
const mostOutstanding = 4096

// generator sends calls over connections that are open.
type generator struct {
	send  sender
	conns [len(callers)][]*connection
}

func dial(ctx context.Context, service *process, dir certs.Dir, protocol string, send sender) (*generator, error) {
	g := &generator{send: send}
	for i, caller := range callers {
		for range caller.connections {
			conn, err := openConnection(ctx, service, dir, protocol, caller.name)
			if conn != nil {
				g.conns[i] = append(g.conns[i], conn)
			}
			if err != nil {
				return nil, errors.Join(err, g.close())
			}
		}
	}
	return g, nil
}

func (g *generator) close() error {
	var errs []error
	for _, conns := range g.conns {
		for _, conn := range conns {
			errs = append(errs, conn.close())
		}
	}
	return errors.Join(errs...)
}

// open sends every call when it is due, whatever became of those before, and returns when all have
// ended.
func (g *generator) open(ctx context.Context, phases ...[]call) error {
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
				conn := g.conns[c.caller][i%len(g.conns[c.caller])]
				calls.Go(func() {
					c.send(ctx, begin.Add(c.due), conn, g.send)
					<-outstanding
				})
			default: // c stays unsent
			}
		}
	}
	return nil
}

// closed keeps atOnce calls under way and returns how many are served in a second.
func (g *generator) closed(ctx context.Context, atOnce int, deadline, lasts time.Duration) float64 {
	const backOff = 5 * time.Millisecond // after a refusal, or the generator would outrun the server
	counts := make([]int, atOnce)
	var workers sync.WaitGroup
	begin := time.Now()
	for i := range atOnce {
		workers.Go(func() {
			conn := g.conns[large][i%len(g.conns[large])]
			for time.Since(begin) < lasts && ctx.Err() == nil {
				c := call{criticality: normal, deadline: deadline}
				c.send(ctx, time.Now(), conn, g.send)
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
