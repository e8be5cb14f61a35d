package admission // for the machine

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

// pool is a handler that holds a place of a resource for some time.
func pool(r *Resource, hold time.Duration, verdicts func(Verdict)) func(worth criticality.Level, share uint8) handler {
	return func(worth criticality.Level, share uint8) handler {
		return func(ctx context.Context) error {
			t := &Ticket{Worth: worth, Share: share}
			v := r.Acquire(ctx, t)
			verdicts(v)
			if v == Refused {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return errRefused
			}
			defer r.Release(t)
			timer := time.NewTimer(hold)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	}
}

// refusals counts the calls that a resource has refused.
type refusals struct{ atomic.Int64 }

func (n *refusals) count(v Verdict) {
	if v == Refused {
		n.Add(1)
	}
}

var errRefused = context.Canceled // any error but that of a deadline

// At three times what a pool of ten can serve, it serves what it can.
func TestPool(t *testing.T) {
	for _, hold := range []time.Duration{10 * ms, 30 * ms} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(2)
			l := NewWith(m.look, false)
			r := NewResource(10, false)
			var refused refusals
			do := pool(r, hold, refused.count)
			capacity := 10 / hold.Seconds()
			each := func(share float64, worth criticality.Level, caller uint8) kind {
				return kind{do: do(worth, caller), rate: share * capacity, deadline: deadline, worth: worth, share: caller}
			}
			const lasting = 20 * time.Second
			kinds := []kind{each(.6, criticality.Critical, 1), each(1.4, criticality.Normal, 1), each(.9, criticality.Sheddable, 1), each(.1, criticality.Normal, 2)}
			results := offer(m, l, lasting, kinds...)
			goodput := 0.
			for _, one := range results {
				goodput += one.goodput(lasting) / capacity
			}
			t.Logf("%v: served %.3f of the capacity, critical %.3f, normal %.3f, small %.3f, sheddable %.3f", hold, goodput,
				ratio(results[0]), ratio(results[1]), ratio(results[3]), ratio(results[2]))
			if goodput < .95 || ratio(results[0]) < .99 || refused.Load() == 0 {
				t.Errorf("%.3f of the capacity is served and %.3f of the critical calls, and %d are refused", goodput, ratio(results[0]), refused.Load())
			}
			if s := r.State(); s.Held != 0 || s.Queued != 0 {
				t.Errorf("when all has ended, %d are held and %d wait", s.Held, s.Queued)
			}
			before := refused.Load()
			if after := offer(m, l, time.Second, each(.5, criticality.Normal, 1)); after[0].ok != after[0].sent || refused.Load() != before {
				t.Errorf("after the overload %d of %d calls are served", after[0].ok, after[0].sent)
			}
		})
	}
}

// Bursts, and a pool whose connections are slow for a moment, have no call refused.
func TestPoolIsPatientWithBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		r := NewResource(10, false)
		var refused refusals
		do := pool(r, 10*ms, refused.count)
		results := offer(m, nil, 20*time.Second,
			kind{do: do(criticality.Normal, 1), burst: 500, every: 2 * time.Second, deadline: 5 * time.Second},
			kind{do: do(criticality.Normal, 2), rate: 100, deadline: time.Second})
		for i, one := range results {
			if one.ok != one.sent {
				t.Errorf("of kind %d %d of %d calls are served", i, one.ok, one.sent)
			}
		}
		if refused.Load() > 0 {
			t.Errorf("%d calls were refused", refused.Load())
		}
	})
}

// A burst may come over some time: as long as all of it can be served none is refused, whatever it
// is worth.
func TestPoolIsPatientWithBurstsThatTakeTime(t *testing.T) {
	for _, over := range []time.Duration{0, 100 * ms, 200 * ms, 300 * ms, 500 * ms} {
		for _, worth := range []criticality.Level{criticality.Sheddable, criticality.Normal, criticality.Critical} {
			synctest.Test(t, func(t *testing.T) {
				r := NewResource(5, false)
				var refused refusals
				do := pool(r, 10*ms, refused.count)
				var all sync.WaitGroup
				defer all.Wait()
				const calls = 300
				for range 3 {
					for range calls {
						time.Sleep(over / calls)
						all.Go(func() { _ = do(worth, 1)(t.Context()) })
					}
					time.Sleep(1500 * ms)
				}
				all.Wait()
				if refused.Load() > 0 {
					t.Errorf("of %d calls of worth %d over %v %d are refused", 3*calls, worth, over, refused.Load())
				}
			})
		}
	}
}

// A patient resource refuses no call, and says which it would have refused. Neither does any once
// it is open.
func TestPatientResource(t *testing.T) {
	for _, opened := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(2)
			r := NewResource(10, !opened)
			if opened {
				r.Open()
			}
			var mu sync.Mutex
			verdicts := map[Verdict]int{}
			do := pool(r, 10*ms, func(v Verdict) {
				mu.Lock()
				defer mu.Unlock()
				verdicts[v]++
			})
			results := offer(m, nil, 5*time.Second, kind{do: do(criticality.Normal, 1), rate: 3000, deadline: 20 * time.Second})
			if results[0].ok != results[0].sent || verdicts[Refused] > 0 || verdicts[Reported] == 0 {
				t.Errorf("%d of %d calls are served: %v", results[0].ok, results[0].sent, verdicts)
			}
		})
	}
}
