package admission // to choose the processors

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

const deadline = 250 * ms

// computing are kinds of work of which a service gets three times what it can do.
var computing = []struct {
	name  string
	do    func(m *machine) handler
	takes time.Duration // of a processor, on average and with what comes before
	least float64       // of the capacity that must be served; what is refused costs too

	critical float64 // of the critical calls that must be served
	small    float64 // of the calls of a caller that asks for a tenth of the capacity
}{
	{"5 ms", func(m *machine) handler { return m.computes(5 * ms) }, 5*ms + cost, .97, .98, .94},
	{"1 ms", func(m *machine) handler { return m.computes(ms) }, ms + cost, .92, .98, .94},
	{"90 % 2 ms, 10 % 50 ms", func(m *machine) handler { return mixed(.1, m.computes(50*ms), m.computes(2*ms)) }, 6800*time.Microsecond + cost, .8, .85, .55},
	{"20 ms of waiting and 200 us", func(m *machine) handler {
		return func(ctx context.Context) error {
			_ = m.waits(20 * ms)(ctx)
			m.compute(ms / 5)
			return ctx.Err()
		}
	}, ms/5 + 3*cost, .68, .94, .65},
	{"20 ms of waiting and 2 ms", func(m *machine) handler {
		return func(ctx context.Context) error {
			_ = m.waits(20 * ms)(ctx)
			m.compute(2 * ms)
			return ctx.Err()
		}
	}, 2*ms + 3*cost, .75, .97, .8},
}

// At three times what it can, a service goes on doing what it can, the critical calls all, and
// callers that are refused are told soon.
func TestOverload(t *testing.T) {
	for _, procs := range processors(1, 2, 16) {
		for _, work := range computing {
			if procs > 2 && work.takes < 5*ms {
				continue // too many calls to simulate
			}
			t.Run(work.name+"/"+strconv.Itoa(procs), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMachine(procs)
					l := NewWith(m.look, false)
					capacity := float64(procs) / work.takes.Seconds()
					each := func(share float64, worth criticality.Level, caller uint8) kind {
						return kind{do: work.do(m), rate: share * capacity, deadline: deadline, worth: worth, share: caller}
					}
					lasting := 10 * time.Second
					if work.takes < 2*ms {
						lasting = 4 * time.Second
					}
					r := offer(m, l, lasting, each(.6, criticality.Critical, 1), each(1.4, criticality.Normal, 1), each(.9, criticality.Sheddable, 1), each(.1, criticality.Normal, 2))
					goodput := 0.
					var refusals []time.Duration
					for _, one := range r {
						goodput += one.goodput(lasting) / capacity
						refusals = append(refusals, one.refusals...)
					}
					t.Logf("served: %.3f of the capacity, %.3f of the critical calls, %.3f of normal, %.3f of the small caller, %.3f of sheddable; "+
						"p99 of refusals %v", goodput, ratio(r[0]), ratio(r[1]), ratio(r[3]), ratio(r[2]), percentile(refusals, .99))
					if goodput < work.least {
						t.Errorf("%.3f of the capacity is served, want %.2f", goodput, work.least)
					}
					if critical := ratio(r[0]); critical < work.critical {
						t.Errorf("%.3f of the critical calls are served", critical)
					}
					if ratio(r[3]) < work.small || ratio(r[3]) < 1.5*ratio(r[1]) || ratio(r[1]) < ratio(r[2]) {
						t.Errorf("served are %.3f of the small caller, %.3f of the large one and %.3f of sheddable", ratio(r[3]), ratio(r[1]), ratio(r[2]))
					}
					if p90, p99 := percentile(refusals, .9), percentile(refusals, .99); p90 > 100*ms || p99 > 250*ms {
						t.Errorf("refusals take %v and %v at p90 and p99", p90, p99)
					}
					if after := offer(m, l, time.Second, each(.5, criticality.Normal, 1)); ratio(after[0]) < .9 {
						t.Errorf("after the overload %.3f of half the capacity is served", ratio(after[0]))
					}
					wantIdle(t, l)
				})
			})
		}
	}
}

func ratio(r *result) float64 { return float64(r.ok) / float64(r.sent) }
