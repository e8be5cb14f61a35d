package admission_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/criticality"
)

// held is a limiter that holds calls back, and the calls that run.
type held struct {
	*admission.Limiter
	runnable atomic.Int64
	running  []*admission.Ticket
}

// hold returns a limiter that holds calls back until its runnable is zero. It must be called in a
// bubble of synctest.
func hold(t *testing.T) *held {
	t.Helper()
	h := new(held)
	h.runnable.Store(1)
	looks := int64(0)
	h.Limiter = admission.NewWith(func() admission.Look {
		looks++ // and the queue grows, as one of calls does that are too many
		return admission.Look{Procs: 1, Runnable: int(looks * h.runnable.Load())}
	}, false)
	for range 100 {
		if h.State().Holding {
			h.fillSpare(t)
			return h
		}
		c := new(admission.Ticket)
		if h.Enter(t.Context(), c, time.Now()) != admission.Runs {
			t.Fatal("a call may not run in a service that is not overloaded")
		}
		h.running = append(h.running, c)
		time.Sleep(2 * time.Millisecond) // of a bubble
	}
	t.Fatal("no call is held back")
	return nil
}

// fillSpare has a call run of each of some shares, as those may that have none.
func (h *held) fillSpare(t *testing.T) {
	t.Helper()
	const spare = 4 // for one processor
	for i := range spare {
		c := &admission.Ticket{Share: uint8(200 + i)}
		if h.Enter(t.Context(), c, time.Now()) != admission.Runs {
			t.Fatal("a share with none that runs has no place")
		}
		h.running = append(h.running, c)
	}
}

func (h *held) wantState(t *testing.T, running, queued int) {
	t.Helper()
	if s := h.State(); s.Running != running || s.Queued != queued {
		t.Errorf("%d run and %d wait, want %d and %d", s.Running, s.Queued, running, queued)
	}
}

// few ends so many of the calls that run that only as many are left.
func (h *held) few(n int) {
	for _, c := range h.running[n:] {
		h.Leave(c, time.Now())
	}
	h.running = h.running[:n]
}

// The next to run is the most critical; of those, one of the share that has the fewest running; of
// those, the one whose turn it is; of one share, the oldest.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		var order []string
		var one sync.Mutex
		var all sync.WaitGroup
		ask := func(name string, worth criticality.Level, share uint8) {
			all.Go(func() {
				c := &admission.Ticket{Worth: worth, Share: share}
				if h.Enter(t.Context(), c, time.Now()) == admission.Runs {
					one.Lock()
					order = append(order, name)
					one.Unlock()
					time.Sleep(time.Second) // until all have had their turn
					h.Leave(c, time.Now())
				}
			})
			synctest.Wait()
		}
		ask("sheddable", criticality.Sheddable, 1)
		ask("first of a caller", criticality.Normal, 1)
		ask("second of a caller", criticality.Normal, 1)
		ask("first of another", criticality.Normal, 2)
		ask("second of another", criticality.Normal, 2)
		ask("critical", criticality.Critical, 1)
		if len(order) > 0 {
			t.Fatalf("%q run at once", order)
		}
		for len(h.running) > 0 {
			h.few(len(h.running) - 1)
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		all.Wait()
		want := []string{"critical", "first of another", "first of a caller", "second of another", "second of a caller", "sheddable"}
		for i := range want {
			if i >= len(order) || order[i] != want[i] {
				t.Fatalf("the order was %q, want %q", order, want)
			}
		}
	})
}

// A place in the line is given up with the call.
func TestPlacesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		n := len(h.running)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		c := new(admission.Ticket)
		start := time.Now()
		if got := h.Enter(ctx, c, time.Now()); got != admission.Refused {
			t.Errorf("a call whose time ran out: %v", got)
		}
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("it waited for %v", took)
		}
		h.wantState(t, n, 0)
		h.Leave(c, time.Now()) // what does not run changes nothing
		h.wantState(t, n, 0)
		gone, leave := context.WithCancel(t.Context())
		leave()
		if got := h.Enter(gone, new(admission.Ticket), time.Now()); got != admission.Refused {
			t.Errorf("a call whose caller was gone: %v", got)
		}
		h.wantState(t, n, 0)
	})
}

// A place comes back once, however often it is given back.
func TestLeaveTwice(t *testing.T) {
	l := admission.New()
	c := new(admission.Ticket)
	l.Enter(t.Context(), c, time.Now())
	l.Leave(c, time.Now())
	l.Leave(c, time.Now())
	l.Leave(new(admission.Ticket), time.Now())
	if s := l.State(); s.Running != 0 {
		t.Errorf("%d run", s.Running)
	}
}

// The line is bounded. The less critical fill a part of it, and one share half of that if there are
// others.
func TestLineIsBounded(t *testing.T) {
	const capacity = 16384
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		n := len(h.running)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		fill := func(worth criticality.Level, share uint8, calls int) {
			for range calls {
				all.Go(func() { h.Enter(ctx, &admission.Ticket{Worth: worth, Share: share}, time.Now()) })
			}
			synctest.Wait()
		}
		fill(criticality.Sheddable, 1, capacity)
		h.wantState(t, n, capacity/2)
		fill(criticality.Normal, 1, capacity/2)
		h.wantState(t, n, capacity*3/4)
		fill(criticality.Critical, 1, capacity/2)
		h.wantState(t, n, capacity)
		cancel()
		all.Wait()
		h.wantState(t, n, 0)
	})
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		n := len(h.running)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range capacity {
			share := uint8(1)
			if i == 0 {
				share = 2
			}
			all.Go(func() { h.Enter(ctx, &admission.Ticket{Share: share}, time.Now()) })
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		h.wantState(t, n, 1+capacity*3/8)
		cancel()
		all.Wait()
	})
}

// An open limiter refuses no call, and lets those run that wait.
func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t)
		n := len(h.running)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if h.Enter(t.Context(), &admission.Ticket{Worth: criticality.Sheddable}, time.Now()) != admission.Runs {
					t.Error("a call that waited was refused")
				}
			})
		}
		synctest.Wait()
		h.wantState(t, n, 20)
		h.Open()
		all.Wait()
		if h.Enter(t.Context(), new(admission.Ticket), time.Now()) != admission.Runs {
			t.Error("a call that came later was refused")
		}
		h.wantState(t, n+21, 0)
	})
}

// Whatever calls do at once, in the end none holds anything.
func TestStress(t *testing.T) {
	var busy atomic.Int64
	l := admission.NewWith(func() admission.Look {
		return admission.Look{Procs: 1, Runnable: int(busy.Add(1) / 50 % 2 * busy.Load())}
	}, false)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(2000))*time.Microsecond)
				c := &admission.Ticket{Worth: criticality.Level(random.IntN(3) - 1), Share: uint8(random.IntN(256))}
				if random.IntN(4) == 0 {
					cancel()
				}
				if l.Enter(ctx, c, time.Now()) == admission.Runs && random.IntN(8) == 0 {
					<-ctx.Done()
				}
				l.Leave(c, time.Now())
				cancel()
			}
		})
	}
	all.Wait()
	if s := l.State(); s.Running != 0 || s.Queued != 0 {
		t.Errorf("%d run and %d wait", s.Running, s.Queued)
	}
}

// A call in a service that has room allocates nothing.
func TestNoAllocation(t *testing.T) {
	l := admission.New()
	ctx, c := t.Context(), new(admission.Ticket)
	if n := testing.AllocsPerRun(1000, func() {
		l.Enter(ctx, c, time.Now())
		l.Leave(c, time.Now())
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Methods of one caller never share a place, however many it calls.
func TestShares(t *testing.T) {
	s := admission.NewShares()
	seen := map[uint8]bool{}
	for method := range 256 {
		seen[s.Of("spiffe://example.org/web", method)] = true
	}
	if len(seen) != 256 {
		t.Errorf("256 methods have %d shares", len(seen))
	}
	same := 0
	for range 64 {
		if s := admission.NewShares(); s.Of("one", 0) == s.Of("another", 0) {
			same++
		}
	}
	if same > 8 {
		t.Errorf("two callers share a place in %d of 64 processes", same)
	}
}

func BenchmarkUncontended(b *testing.B) {
	l := admission.New()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		c := admission.Ticket{}
		l.Enter(ctx, &c, time.Now())
		l.Leave(&c, time.Now())
	}
}

// A look at the scheduler.
func BenchmarkLook(b *testing.B) {
	look := admission.Scheduler()
	b.ReportAllocs()
	for b.Loop() {
		look()
	}
}
