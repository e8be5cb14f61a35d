package admission // to choose the processors

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests drive a limiter in virtual time, so that what they find does not depend on the machine.

// machine is what handlers use up: its slots are processors, or the connections of a pool.
type machine struct {
	slots   chan struct{}
	takes   time.Duration
	waiting atomic.Int64
}

func newMachine(slots int, takes time.Duration) *machine {
	return &machine{slots: make(chan struct{}, slots), takes: takes}
}

// serve is a handler: it gives up when its caller does, but not while it works.
func (m *machine) serve(ctx context.Context) error {
	m.waiting.Add(1)
	select {
	case m.slots <- struct{}{}:
		m.waiting.Add(-1)
	case <-ctx.Done():
		m.waiting.Add(-1)
		return ctx.Err()
	}
	time.Sleep(m.takes)
	<-m.slots
	return ctx.Err()
}

// result counts what came of calls.
type result struct {
	mu              sync.Mutex
	ok, refused     [worths]int
	sent            [worths]int
	served, refusal []time.Duration
	failed          int
	normal          [callers]int // that were served, by share
}

func (r *result) goodput(took time.Duration) float64 {
	return float64(r.ok[0]+r.ok[1]+r.ok[2]) / took.Seconds()
}

func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(p*float64(len(all)-1))]
}

// call is one call from its arrival to its end.
func (r *result) call(l *Limiter, handler func(context.Context) error, worth Worth, share uint8, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	t := &Ticket{Parent: ctx, Worth: worth, Share: share}
	l.Arrive(t, start)
	admitted := l.Wait(t.Parent, t)
	var err error
	if admitted {
		err = handler(ctx)
	}
	o := Useful
	if err != nil {
		o = Wasted
	}
	l.End(t, o, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent[worth.rank()]++
	switch took := time.Since(start); {
	case !admitted:
		r.refused[worth.rank()]++
		r.refusal = append(r.refusal, took)
	case err != nil:
		r.failed++
	default:
		r.ok[worth.rank()]++
		if worth == Normal {
			r.normal[share]++
		}
		r.served = append(r.served, took)
	}
}

// offer sends calls at a steady rate for some time, and returns what came of them when the last has ended.
func offer(l *Limiter, m *machine, rate int, lasting, timeout time.Duration, kind func(i int) (Worth, uint8)) *result {
	r := new(result)
	var wg sync.WaitGroup
	for i := range int(lasting.Seconds() * float64(rate)) {
		worth, share := kind(i)
		wg.Go(func() { r.call(l, m.serve, worth, share, timeout) })
		time.Sleep(time.Second / time.Duration(rate))
	}
	wg.Wait()
	return r
}

func allNormal(int) (Worth, uint8) { return Normal, 0 }

// What a service has too little of.
var shapes = []struct {
	name     string
	machine  func() *machine
	computes bool // what is short are processors
	procs    int
	rate     int // calls that it can serve in a second
}{
	{"a pool of ten", func() *machine { return newMachine(10, 10*time.Millisecond) }, false, 2, 1000},
	{"one processor", func() *machine { return newMachine(1, 2*time.Millisecond) }, true, 1, 500},
	{"four processors", func() *machine { return newMachine(4, 10*time.Millisecond) }, true, 4, 400},
}

func forEachShape(t *testing.T, test func(t *testing.T, l *Limiter, m *machine, rate int)) {
	t.Helper()
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := shape.machine()
				l := newLimiter(shape.procs, func() int {
					if !shape.computes {
						return 0
					}
					return int(m.waiting.Load())
				})
				test(t, l, m, shape.rate)
				if s := l.State(); s.Running != 0 || s.Queued != 0 {
					t.Errorf("when all has ended, %d hold permits and %d wait", s.Running, s.Queued)
				}
			})
		})
	}
}

const timeout = 250 * time.Millisecond

// aMix is a fifth of critical calls, a half of normal and three tenths of sheddable ones; a small caller makes one of
// eleven.
func aMix(i int) (Worth, uint8) {
	share := large
	if i%11 == 0 {
		share = small
	}
	switch i % 10 {
	case 0, 5:
		return Critical, share
	case 1, 4, 7:
		return Sheddable, share
	default:
		return Normal, share
	}
}

const small, large uint8 = 1, 2

// At three times what it can, a service goes on doing what it can: what it serves is served in time, the critical calls
// all, and who must be refused is told at once.
func TestOverload(t *testing.T) {
	forEachShape(t, func(t *testing.T, l *Limiter, m *machine, rate int) {
		offer(l, m, rate, 2*time.Second, timeout, aMix)
		r := offer(l, m, 3*rate, 30*time.Second, timeout, aMix)
		if goodput := r.goodput(30*time.Second) / float64(rate); goodput < .95 {
			t.Errorf("%.2f of the capacity is served, want .95", goodput)
		}
		if p99 := percentile(r.served, .99); p99 > 100*time.Millisecond {
			t.Errorf("p99 of what is served takes %v", p99)
		}
		if p99 := percentile(r.refusal, .99); p99 > 20*time.Millisecond {
			t.Errorf("p99 of the refusals takes %v", p99)
		}
		if critical := float64(r.ok[Critical.rank()]) / float64(r.sent[Critical.rank()]); critical < .99 {
			t.Errorf("%.3f of the critical calls are served", critical)
		}
		normal, sheddable := r.ok[Normal.rank()]*r.sent[Sheddable.rank()], r.ok[Sheddable.rank()]*r.sent[Normal.rank()]
		if normal < 3*sheddable/2 {
			t.Errorf("served are %v of %v: sheddable calls are not given up first", r.ok, r.sent)
		}
		if r.failed*200 > len(r.served) {
			t.Errorf("%d calls ran and were of no use", r.failed)
		}
		if theirs, others := 10*r.normal[small], r.normal[large]; theirs < 3*others/2 {
			t.Errorf("of normal calls %d of the small caller and %d of the large one are served, which is its share or less", r.normal[small], others)
		}
		if after := offer(l, m, rate/2, time.Second, timeout, aMix); after.ok != after.sent {
			t.Errorf("after the overload %v of %v calls are served", after.ok, after.sent)
		}
	})
}

// An overload from the first call on, before anything is known.
func TestColdOverload(t *testing.T) {
	forEachShape(t, func(t *testing.T, l *Limiter, m *machine, rate int) {
		r := offer(l, m, 3*rate, 5*time.Second, timeout, aMix)
		if goodput := r.goodput(5*time.Second) / float64(rate); goodput < .9 {
			t.Errorf("%.2f of the capacity is served", goodput)
		}
		if critical := float64(r.ok[Critical.rank()]) / float64(r.sent[Critical.rank()]); critical < .95 {
			t.Errorf("%.3f of the critical calls are served", critical)
		}
	})
}

func TestColdBurstIsServed(t *testing.T) {
	forEachShape(t, func(t *testing.T, l *Limiter, m *machine, _ int) {
		r := new(result)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { r.call(l, m.serve, Normal, 1, 2*time.Second) })
		}
		wg.Wait()
		if r.ok != r.sent {
			t.Errorf("%v of %v calls are served", r.ok, r.sent)
		}
	})
}

// Work that waits for another service takes many calls at once, and no processor.
func TestManyMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(100_000, 500*time.Millisecond)
		l := newLimiter(2, func() int { return 0 })
		first := offer(l, m, 1000, 5*time.Second, 3*time.Second, allNormal)
		if refused := first.sent[1] - first.ok[1]; refused > first.sent[1]/5 {
			t.Errorf("%d of %d calls are refused before the limit has grown", refused, first.sent[1])
		}
		if then := offer(l, m, 1000, 5*time.Second, 3*time.Second, allNormal); then.ok != then.sent {
			t.Errorf("%v of %v calls are served, at a limit of %d", then.ok, then.sent, l.State().Limit)
		}
	})
}

// A dependency that has become slower is no overload.
func TestSlowerIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, func() int { return 0 })
		offer(l, newMachine(100_000, 10*time.Millisecond), 1000, 5*time.Second, time.Second, allNormal)
		r := offer(l, newMachine(100_000, 80*time.Millisecond), 1000, 5*time.Second, time.Second, allNormal)
		if r.ok != r.sent {
			t.Errorf("%v of %v calls are served", r.ok, r.sent)
		}
	})
}

// A process that gets no processor for a while has no more to do than it can: it has not done anything.
func TestStallIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(4, 10*time.Millisecond)
		var stalled atomic.Bool
		l := newLimiter(2, func() int {
			if stalled.Load() {
				return 1000
			}
			return int(m.waiting.Load())
		})
		offer(l, m, 1200, time.Second, timeout, allNormal) // so that it knows what it can do
		offer(l, m, 100, 2*time.Second, timeout, allNormal)
		go func() {
			stalled.Store(true)
			for range cap(m.slots) {
				m.slots <- struct{}{}
			}
			time.Sleep(300 * time.Millisecond)
			for range cap(m.slots) {
				<-m.slots
			}
			stalled.Store(false)
		}()
		if r := offer(l, m, 100, time.Second, 2*time.Second, allNormal); r.ok != r.sent {
			t.Errorf("%v of %v calls are served", r.ok, r.sent)
		}
	})
}
