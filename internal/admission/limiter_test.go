package admission_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/admission"
)

// full returns a limiter whose permits are all taken, and the calls that hold them. They are held for so long that the
// processors, which are idle, are no reason to wait.
func full(t *testing.T) (*admission.Limiter, []*admission.Ticket) {
	t.Helper()
	l := admission.New()
	var holders []*admission.Ticket
	for range l.State().Limit {
		held := &admission.Ticket{Parent: t.Context()}
		l.Arrive(held, time.Now())
		synctest.Wait()
		if !l.Wait(held.Parent, held) {
			t.Fatalf("call %d of an idle limiter may not run", len(holders)+1)
		}
		holders = append(holders, held)
	}
	return l, holders
}

// arrive takes a place for a call.
func arrive(ctx context.Context, l *admission.Limiter, worth admission.Worth, share uint8) *admission.Ticket {
	t := &admission.Ticket{Parent: ctx, Worth: worth, Share: share}
	l.Arrive(t, time.Now())
	return t
}

func wantState(t *testing.T, l *admission.Limiter, running, queued int) {
	t.Helper()
	if s := l.State(); s.Running != running || s.Queued != queued {
		t.Errorf("%d run and %d wait, want %d and %d", s.Running, s.Queued, running, queued)
	}
}

// The next to run is the most critical; of those, one of the caller who has the fewest running; of those, the oldest.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, holders := full(t)
		var order []string
		var wg sync.WaitGroup
		var one sync.Mutex
		wait := func(name string, worth admission.Worth, share uint8) {
			ticket := arrive(t.Context(), l, worth, share)
			wg.Go(func() {
				if l.Wait(ticket.Parent, ticket) {
					one.Lock()
					defer one.Unlock()
					order = append(order, name)
				}
			})
			synctest.Wait()
		}
		wait("sheddable", admission.Sheddable, 3)
		wait("first of the busy caller", admission.Normal, 0) // who holds all permits
		wait("second of the busy caller", admission.Normal, 0)
		wait("first of another", admission.Normal, 1)
		wait("second of another", admission.Normal, 1)
		wait("critical", admission.Critical, 0)
		for _, held := range holders[:6] {
			l.End(held, admission.Useful, time.Now())
			synctest.Wait()
		}
		wg.Wait()
		want := []string{
			"critical", "first of another", "second of another", "first of the busy caller", "second of the busy caller", "sheddable",
		}
		for i := range want {
			if i >= len(order) || order[i] != want[i] {
				t.Fatalf("the order was %q, want %q", order, want)
			}
		}
	})
}

// Callers that send headers alone stop nobody for longer than a moment, and those that are slow to send lose nothing where
// nobody else wants their place.
func TestPermitsOfCallsWithoutAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := admission.New()
		var slow []*admission.Ticket
		for range l.State().Limit {
			c := &admission.Ticket{Parent: t.Context(), Reads: true}
			l.Arrive(c, time.Now())
			l.Wait(c.Parent, c)
			slow = append(slow, c)
		}
		last := len(slow) - 1
		if !l.Read(slow[0]) {
			t.Error("a call whose message has come at once may not run")
		}
		time.Sleep(time.Minute)
		l.End(slow[last], admission.Wasted, time.Now())
		if l.State(); !l.Read(slow[last-1]) {
			t.Error("a call has lost its permit that nobody wanted")
		}
		for range 2 { // the second finds none free
			c := arrive(t.Context(), l, admission.Normal, 1)
			if !l.Wait(c.Parent, c) || !l.Read(c) {
				t.Error("a call may not run beside those whose message does not come")
			}
		}
		if l.Read(slow[1]) {
			t.Error("a call may run that has lost its permit")
		}
		for _, c := range slow {
			l.End(c, admission.Wasted, time.Now())
		}
		wantState(t, l, 2, 0)
	})
}

// A permit comes back however the call ends, and once.
func TestPermitsComeBack(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, l *admission.Limiter){
		"after the handler, told twice": func(t *testing.T, l *admission.Limiter) {
			c := arrive(t.Context(), l, admission.Normal, 0)
			l.Wait(c.Parent, c)
			l.End(c, admission.Useful, time.Now())
			l.End(c, admission.Useful, time.Now())
		},
		"before the handler has asked": func(t *testing.T, l *admission.Limiter) {
			l.End(arrive(t.Context(), l, admission.Normal, 0), admission.Wasted, time.Now())
		},
		"a stream, that goes on": func(t *testing.T, l *admission.Limiter) {
			c := arrive(t.Context(), l, admission.Normal, 0)
			l.Wait(c.Parent, c)
			l.End(c, admission.Unknown, time.Now())
		},
		"without a handler: the transport has ended it": func(t *testing.T, l *admission.Limiter) {
			ctx, cancel := context.WithCancel(t.Context())
			c := arrive(ctx, l, admission.Normal, 0)
			cancel()
			l.State() // looks
			if l.Wait(c.Parent, c) {
				t.Error("a call that has lost its permit may run")
			}
			l.End(c, admission.Wasted, time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := admission.New()
			end(t, l)
			wantState(t, l, 0, 0)
		})
	}
}

// A place in the queue is given up with the call, and by who waits too long.
func TestPlacesAreGivenUp(t *testing.T) {
	for name, leave := range map[string]func(ctx context.Context, l *admission.Limiter, c *admission.Ticket, cancel func()){
		"its caller goes": func(_ context.Context, l *admission.Limiter, c *admission.Ticket, cancel func()) {
			time.AfterFunc(time.Millisecond, cancel)
			l.Wait(c.Parent, c)
		},
		"its caller was gone": func(_ context.Context, l *admission.Limiter, c *admission.Ticket, cancel func()) {
			cancel()
			l.Wait(c.Parent, c)
		},
		"its handler never asks": func(_ context.Context, l *admission.Limiter, c *admission.Ticket, _ func()) {
			l.End(c, admission.Wasted, time.Now())
		},
		"it waits too long": func(_ context.Context, l *admission.Limiter, c *admission.Ticket, _ func()) { l.Wait(c.Parent, c) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, holders := full(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := arrive(ctx, l, admission.Normal, 1)
				wantState(t, l, len(holders), 1)
				leave(ctx, l, c, cancel)
				wantState(t, l, len(holders), 0)
				l.End(c, admission.Wasted, time.Now())
				wantState(t, l, len(holders), 0)
			})
		})
	}
}

// The queue is bounded. Less critical calls may fill a part of it, and one caller half of that if there are others.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, holders := full(t)
		fill := func(worth admission.Worth, share uint8) {
			for range 2000 {
				arrive(t.Context(), l, worth, share)
			}
		}
		fill(admission.Sheddable, 1)
		wantState(t, l, len(holders), 512)
		fill(admission.Sheddable, 2)
		wantState(t, l, len(holders), 512)
		fill(admission.Normal, 1)
		wantState(t, l, len(holders), 768)
		fill(admission.Critical, 1)
		wantState(t, l, len(holders), 1024)
		l.Open()
		wantState(t, l, len(holders)+1024, 0)
	})
	synctest.Test(t, func(t *testing.T) {
		l, holders := full(t)
		arrive(t.Context(), l, admission.Normal, 2)
		for range 2000 {
			arrive(t.Context(), l, admission.Normal, 1)
		}
		wantState(t, l, len(holders), 1+384)
	})
}

// An open limiter refuses nobody, and lets those run that wait.
func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, holders := full(t)
		c := arrive(t.Context(), l, admission.Sheddable, 0)
		got := make(chan bool)
		go func() { got <- l.Wait(c.Parent, c) }()
		synctest.Wait()
		l.Open()
		if !<-got {
			t.Error("a call that waited was refused")
		}
		if !l.Wait(t.Context(), arrive(t.Context(), l, admission.Sheddable, 0)) {
			t.Error("a call that came later was refused")
		}
		wantState(t, l, len(holders)+2, 0)
	})
}

// Whatever calls do at once, in the end nobody holds anything.
func TestStress(t *testing.T) {
	l := admission.New()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(2000))*time.Microsecond)
				c := arrive(ctx, l, admission.Worth(random.IntN(3)-1), uint8(random.IntN(64)))
				switch random.IntN(4) {
				case 0:
					cancel()
				case 1: // its handler never begins
					cancel()
					continue
				}
				if l.Wait(c.Parent, c) && random.IntN(8) == 0 {
					<-ctx.Done()
				}
				l.End(c, admission.Outcome(random.IntN(3)), time.Now())
				cancel()
			}
		})
	}
	wg.Wait()
	for range 1000 { // some at a time
		l.State()
	}
	wantState(t, l, 0, 0)
}

func BenchmarkUncontended(b *testing.B) {
	l := admission.New()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		c := admission.Ticket{Parent: ctx}
		l.Arrive(&c, time.Now())
		l.Wait(ctx, &c)
		l.End(&c, admission.Useful, time.Now())
	}
}
