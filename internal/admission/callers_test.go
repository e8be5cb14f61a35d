package admission // to choose the processors

import (
	"context"
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
			l.Wait(c)
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
