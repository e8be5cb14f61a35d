package admission // to choose the processors

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Callers take turns also where there are more of them than calls that may run at once.
func TestMoreCallersThanPermits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const several = 5
		l := newLimiter(1, func() int { return 1000 })
		m := newMachine(2, 5*time.Millisecond)
		r := offer(l, m, 1200, 5*time.Second, timeout, func(i int) (Worth, uint8) { return Normal, uint8(10 * (i % several)) })
		each := r.ok[Normal.rank()] / several
		for i := range several {
			if served := r.normal[10*i]; served < each*9/10 {
				t.Errorf("caller %d is served %d times, of %d for each on average", i, served, each)
			}
		}
	})
}

// A call that ended before anybody served it, of which nobody tells the limiter, holds its place in the queue no longer
// than others need to get ahead.
func TestDeadCallsLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, holders := newLimiter(1, func() int { return 1000 }), []*Ticket{}
		for range 2 {
			c := &Ticket{Parent: t.Context()}
			l.Arrive(c, time.Now())
			l.Wait(c.Parent, c)
			holders = append(holders, c)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 2 * capacity {
			l.Arrive(&Ticket{Parent: ctx, Share: uint8(i % callers)}, time.Now())
		}
		cancel()
		time.Sleep(time.Second)
		if s := l.State(); s.Running != len(holders) || s.Queued != 0 {
			t.Errorf("%d run and %d wait, want %d and none", s.Running, s.Queued, len(holders))
		}
	})
}

// Callers who give up for reasons of their own, as people do who type on, are no overload.
func TestCallersWhoGiveUpAreNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, func() int { return 0 })
		r := new(result)
		var wg sync.WaitGroup
		for i := range 2000 {
			patience := time.Second
			if i%10 < 4 {
				patience = 50 * time.Millisecond
			}
			wg.Go(func() { r.call(l, waitFor(100*time.Millisecond), Normal, 1, patience) })
			time.Sleep(5 * time.Millisecond)
		}
		wg.Wait()
		if r.refused[Normal.rank()] > 0 || r.ok[Normal.rank()] != 1200 {
			t.Errorf("%v are served and %v refused of %v, want 1200 and none", r.ok, r.refused, r.sent)
		}
	})
}

// waitFor is a handler that waits for something that takes so long, and stops with its caller.
func waitFor(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		return ctx.Err()
	}
}

// A limit that has become far too high, because what calls wait for can do less than it could, comes down at once.
func TestLimitFarTooHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, func() int { return 0 })
		offer(l, newMachine(100_000, 500*time.Millisecond), 2000, 8*time.Second, 3*time.Second, allNormal)
		if grown := l.State().Limit; grown < 1000 {
			t.Fatalf("the limit is %d, too low for the test", grown)
		}
		m, rate := newMachine(10, 20*time.Millisecond), 500
		offer(l, m, 3*rate, 2*time.Second, timeout, allNormal)
		r := offer(l, m, 3*rate, 2*time.Second, timeout, allNormal)
		if goodput := r.goodput(2*time.Second) / float64(rate); goodput < .9 {
			t.Errorf("%.2f of the capacity is served, at a limit of %d", goodput, l.State().Limit)
		}
	})
}
