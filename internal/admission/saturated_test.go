package admission // to choose the processors

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// saturated are loads that take all processors, of whatever, for some time or for good, and of
// which every call can be served all the same.
var saturated = []struct {
	name  string
	kinds func(m *machine) []kind
	also  func(m *machine) // happens beside them
}{
	{"a first time in which the service itself computes", func(m *machine) []kind {
		return []kind{{do: m.computes(ms), rate: 200, deadline: 5 * time.Second}}
	}, func(m *machine) { m.hog(16, slice, 4*time.Second) }},
	{"requests that take no place", func(m *machine) []kind {
		return []kind{
			{do: m.computes(ms), rate: 100, deadline: 3 * time.Second},
			{do: m.waits(ms), rate: 50, deadline: 3 * time.Second, share: 1},
		}
	}, func(m *machine) { m.hog(64, 2*ms, 8*time.Second) }},
	{"requests that take no place, callers of two methods, and few others", func(m *machine) []kind {
		return []kind{
			{do: m.computes(ms), loops: 64, deadline: 5 * time.Second},
			{do: m.computes(ms), loops: 64, deadline: 5 * time.Second, share: 1},
			{do: m.computes(ms), rate: 20, deadline: 2 * time.Second, share: 2},
		}
	}, func(m *machine) { m.hog(16, 2*ms, 8*time.Second) }},
	{"forty streams that compute", func(m *machine) []kind {
		return []kind{
			{do: m.computes(250 * ms), loops: 40, deadline: 30 * time.Second},
			{do: m.waits(5 * ms), rate: 50, deadline: 2 * time.Second, share: 1},
			{do: m.computes(5 * ms), rate: 10, deadline: 2 * time.Second, share: 2},
		}
	}, nil},
	{"eight streams that compute", func(m *machine) []kind {
		return []kind{
			{do: m.computes(250 * ms), loops: 8, deadline: 30 * time.Second},
			{do: m.waits(5 * ms), rate: 50, deadline: 2 * time.Second, share: 1},
		}
	}, nil},
	{"long computations at once, beside short calls of the same caller and method", func(m *machine) []kind {
		m.arrival = 5 * ms
		return []kind{
			{do: m.computes(150 * ms), burst: 64, every: time.Minute, deadline: 30 * time.Second},
			{do: m.waits(ms), rate: 50, deadline: 2 * time.Second},
		}
	}, nil},
	{"long computations at once, beside short calls of another", func(m *machine) []kind {
		m.arrival = 5 * ms
		return []kind{
			{do: m.computes(150 * ms), burst: 64, every: time.Minute, deadline: 30 * time.Second},
			{do: m.waits(ms), rate: 50, deadline: 2 * time.Second, share: 1},
		}
	}, nil},
	{"a batch of 64 callers", func(m *machine) []kind {
		return []kind{{do: m.computes(20 * ms), loops: 64, deadline: 5 * time.Second}}
	}, nil},
	{"a batch of 256 callers", func(m *machine) []kind {
		return []kind{{do: m.computes(5 * ms), loops: 256, deadline: 5 * time.Second}}
	}, nil},
	{"five hundred calls at once", func(m *machine) []kind {
		return []kind{{do: m.computes(2 * ms), burst: 500, every: 4 * time.Second, deadline: 5 * time.Second}}
	}, nil},
	{"a thousand calls at once, beside others", func(m *machine) []kind {
		m.arrival = ms / 2 // they are read for as long as they last
		return []kind{
			{do: m.computes(ms), burst: 1000, every: 3 * time.Second, deadline: 5 * time.Second},
			{do: m.computes(ms), rate: 20, deadline: 3 * time.Second, share: 1},
		}
	}, nil},
	{"neighbours that take nine tenths", func(m *machine) []kind {
		return []kind{{do: func(ctx context.Context) error {
			m.compute(ms)
			return m.waits(20 * ms)(ctx)
		}, rate: 200, deadline: 5 * time.Second}}
	}, func(m *machine) {
		for range 2 {
			time.Sleep(2 * time.Second)
			for range 15 {
				m.stall(90 * ms)
				time.Sleep(10 * ms)
			}
		}
	}},
}

// None is refused, and none of those is lost that would be served without a limiter.
func TestSaturated(t *testing.T) {
	for _, load := range saturated {
		t.Run(load.name, func(t *testing.T) {
			run := func(admit func(*machine) *Limiter) (results []*result) {
				synctest.Test(t, func(t *testing.T) {
					m := newMachine(2)
					kinds := load.kinds(m)
					l := admit(m)
					var beside sync.WaitGroup
					defer beside.Wait()
					if load.also != nil {
						beside.Go(func() { load.also(m) })
					}
					results = offer(m, l, 10*time.Second, kinds...)
					if l != nil {
						wantIdle(t, l)
					}
				})
				return results
			}
			off := run(func(*machine) *Limiter { return nil })
			on := run(func(m *machine) *Limiter { return NewWith(m.look, false) })
			for i := range on {
				t.Logf("kind %d: %d of %d are served, %d refused, the slowest in %v; without a limiter %d of %d, in %v",
					i, on[i].ok, on[i].sent, on[i].refused, percentile(on[i].served, 1), off[i].ok, off[i].sent, percentile(off[i].served, 1))
				if on[i].refused > 0 || on[i].sent-on[i].ok > off[i].sent-off[i].ok+on[i].sent/100 {
					t.Errorf("of kind %d %d of %d calls are served and %d refused, without a limiter %d of %d are served",
						i, on[i].ok, on[i].sent, on[i].refused, off[i].ok, off[i].sent)
				}
			}
		})
	}
}
