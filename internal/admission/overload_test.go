package admission // to choose the processors

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

const deadline = 250 * ms

// computing are kinds of work of which a service gets three times what it can do.
var computing = []struct {
	name  string
	do    func(m *machine) handler
	takes time.Duration // of a processor, on average and with what comes before
}{
	{"5 ms", func(m *machine) handler { return m.computes(5 * ms) }, 5*ms + cost},
	{"1 ms", func(m *machine) handler { return m.computes(ms) }, ms + cost},
	{"90 % 2 ms, 10 % 50 ms", func(m *machine) handler { return mixed(.1, m.computes(50*ms), m.computes(2*ms)) }, 6800*time.Microsecond + cost},
	{"20 ms of waiting and 200 us", func(m *machine) handler {
		return func(ctx context.Context) error {
			_ = m.waits(20 * ms)(ctx)
			m.compute(ms / 5)
			return ctx.Err()
		}
	}, ms/5 + 3*cost},
	{"20 ms of waiting and 2 ms", func(m *machine) handler {
		return func(ctx context.Context) error {
			_ = m.waits(20 * ms)(ctx)
			m.compute(2 * ms)
			return ctx.Err()
		}
	}, 2*ms + 3*cost},
}

// At three times what it can, a service goes on doing what it can, the critical calls all, and callers that are refused
// are told soon.
func TestOverload(t *testing.T) {
	for _, procs := range []int{1, 2, 64} {
		for _, work := range computing {
			t.Run(work.name+"/"+strconv.Itoa(procs), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMachine(procs)
					l := NewWith(m.look, false)
					capacity := float64(procs) / work.takes.Seconds()
					each := func(share float64, worth Worth, caller uint8) kind {
						return kind{do: work.do(m), rate: share * capacity, deadline: deadline, worth: worth, share: caller}
					}
					const lasting = 30 * time.Second
					r := offer(m, l, lasting, each(.6, Critical, 1), each(1.4, Normal, 1), each(.9, Sheddable, 1), each(.1, Normal, 2))
					goodput := 0.
					var refusals []time.Duration
					for _, one := range r {
						goodput += one.goodput(lasting) / capacity
						refusals = append(refusals, one.refusals...)
					}
					t.Logf("goodput %.3f, critical %.3f, small %.3f, normal %.3f, sheddable %.3f, refusals p99 %v, served p50 %v p99 %v, died %d %d %d",
						goodput, ratio(r[0]), ratio(r[3]), ratio(r[1]), ratio(r[2]), percentile(refusals, .99),
						percentile(r[1].served, .5), percentile(r[1].served, .99), r[0].died, r[1].died, r[2].died)
					wantIdle(t, l)
				})
			})
		}
	}
}

func ratio(r *result) float64 { return float64(r.ok) / float64(r.sent) }
