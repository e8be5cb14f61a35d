package admission // to choose the processors

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"github.com/betmakers/paddock/internal/criticality"
)

// The tests drive a limiter in virtual time, so that what they find does not depend on the machine.

// machine is a number of processors. What computes waits for one, and computes for a slice at a
// time.
type machine struct {
	procs   int
	arrival time.Duration // of computing before a call comes to the limiter
	slots   chan struct{}
	waiting atomic.Int64
}

// processors are the machines that loads are tried on. With the race detector it is one of them:
// make test tries all without it, in a quarter of the time.
func processors(all ...int) []int {
	if race.Detector {
		return []int{2}
	}
	return all
}

func newMachine(procs int) *machine {
	return &machine{procs: procs, arrival: cost, slots: make(chan struct{}, procs)}
}

func (m *machine) look() Look { return Look{m.procs, int(m.waiting.Load())} }

// compute takes so much time of a processor. It does not look at its caller, as computing does not.
func (m *machine) compute(d time.Duration) {
	for ; d > 0; d -= slice {
		m.waiting.Add(1)
		m.slots <- struct{}{}
		m.waiting.Add(-1)
		time.Sleep(min(d, slice)) // of a bubble
		<-m.slots
	}
}

// stall has the machine stand still.
func (m *machine) stall(d time.Duration) {
	var all sync.WaitGroup
	for range m.procs {
		all.Go(func() {
			m.slots <- struct{}{}
			time.Sleep(d) // of a bubble
			<-m.slots
		})
	}
	all.Wait()
}

// handler is what a call does.
type handler func(context.Context) error

// computes is a handler that computes.
func (m *machine) computes(d time.Duration) handler {
	return func(ctx context.Context) error {
		m.compute(d)
		return ctx.Err()
	}
}

// waits is a handler that waits for something, and stops with its caller. It computes for a moment
// before and after.
func (m *machine) waits(d time.Duration) handler {
	return func(ctx context.Context) error {
		m.compute(cost)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		m.compute(cost)
		return ctx.Err()
	}
}

// cost is what a call costs a processor at least, before and after it waits.
const cost = 30 * time.Microsecond

// mixed is a share of calls that do one thing, and the rest another.
func mixed(share float64, some, rest handler) handler {
	return func(ctx context.Context) error {
		if rand.Float64() < share {
			return some(ctx)
		}
		return rest(ctx)
	}
}

// kind is a kind of calls.
type kind struct {
	do       handler
	rate     float64 // calls a second, at random
	burst    int     // or so many at once
	every    time.Duration
	loops    int // or so many callers, of which each waits for an answer and calls again
	deadline time.Duration
	worth    criticality.Level
	share    uint8
}

// result counts what came of the calls of a kind.
type result struct {
	mu                              sync.Mutex
	sent, ok, refused, died, report int
	served, refusals                []time.Duration
	delayed                         time.Duration // the longest time that one was held back
}

func (r *result) goodput(took time.Duration) float64 { return float64(r.ok) / took.Seconds() }

func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(p*float64(len(all)-1))]
}

// call is one call from its arrival to its end.
func (r *result) call(m *machine, l *Limiter, k kind) {
	ctx, cancel := context.WithTimeout(context.Background(), k.deadline)
	defer cancel()
	sent := time.Now()
	m.compute(m.arrival)
	start := time.Now()
	t := &Ticket{Worth: k.worth, Share: k.share}
	verdict, err := Runs, error(nil)
	if l != nil {
		verdict = l.Enter(ctx, t, start)
	}
	held := time.Since(start)
	if verdict != Refused {
		err = k.do(ctx)
		if l != nil {
			l.Leave(t, time.Now())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	r.delayed = max(r.delayed, held)
	switch {
	case verdict == Refused && time.Since(sent) < k.deadline:
		r.refused++
		r.refusals = append(r.refusals, time.Since(sent))
	case verdict == Refused, err != nil:
		r.died++
	default:
		r.ok++
		r.served = append(r.served, time.Since(sent))
	}
	if verdict == Reported {
		r.report++
	}
}

// offer sends calls of each kind for some time, and returns what came of them when the last has
// ended.
func offer(m *machine, l *Limiter, lasting time.Duration, kinds ...kind) []*result {
	var all sync.WaitGroup
	end := time.Now().Add(lasting)
	results := make([]*result, len(kinds))
	for i, k := range kinds {
		r := new(result)
		results[i] = r
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range k.loops {
				all.Go(func() {
					for time.Now().Before(end) {
						r.call(m, l, k)
					}
				})
			}
			for k.loops == 0 && time.Now().Before(end) {
				for range max(k.burst, 1) {
					all.Go(func() { r.call(m, l, k) })
				}
				if k.burst > 0 {
					time.Sleep(k.every) // of a bubble
				} else {
					time.Sleep(time.Duration(random.ExpFloat64() / k.rate * float64(time.Second))) // of a bubble
				}
			}
		})
	}
	all.Wait()
	return results
}

// wantIdle checks that nothing is held when all has ended.
func wantIdle(t *testing.T, l *Limiter) {
	t.Helper()
	if s := l.State(); s.Running != 0 || s.Queued != 0 {
		t.Errorf("when all has ended, %d run and %d wait", s.Running, s.Queued)
	}
	for share, n := range l.line.running {
		if n != 0 {
			t.Errorf("share %d counts %d that run", share, n)
		}
	}
}
