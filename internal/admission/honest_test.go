package admission // to choose the processors

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// honest are loads of a service that has enough of everything, or lacks something for a while
// through no fault of its callers.
var honest = []struct {
	name  string
	kinds func(m *machine) []kind
	also  func(m *machine) // happens beside them
}{
	{"long polls that end without news", func(m *machine) []kind {
		return []kind{
			{do: m.waits(time.Hour), rate: 20, deadline: 2 * time.Second},
			{do: m.waits(2 * time.Second), rate: 20, deadline: time.Minute},
			{do: m.waits(50 * ms), rate: 5, deadline: time.Second, share: 1},
		}
	}, nil},
	{"five hundred long polls", func(m *machine) []kind {
		return []kind{
			{do: m.waits(30 * time.Second), rate: 500 / 30., deadline: 31 * time.Second},
			{do: m.waits(5 * ms), rate: 100, deadline: time.Second},
		}
	}, nil},
	{"70 % 1 ms, 30 % 1 s", func(m *machine) []kind {
		return []kind{{do: mixed(.3, m.waits(time.Second), m.waits(ms)), rate: 600, deadline: 6 * time.Second}}
	}, nil},
	{"50 % 1 ms, 50 % 2 s", func(m *machine) []kind {
		return []kind{{do: mixed(.5, m.waits(2*time.Second), m.waits(ms)), rate: 600, deadline: 6 * time.Second}}
	}, nil},
	{"99 % 1 ms, 1 % 10 s, of several methods", func(m *machine) []kind {
		return []kind{
			{do: mixed(.01, m.waits(10*time.Second), m.waits(ms)), rate: 500, deadline: 11 * time.Second},
			{do: m.waits(ms), rate: 500, deadline: time.Second, share: 7},
		}
	}, nil},
	{"a process that stands still now and then", func(m *machine) []kind {
		return []kind{{do: m.waits(40 * ms), rate: 400, deadline: 5 * time.Second}}
	}, func(m *machine) {
		for i := range 6 {
			time.Sleep(2 * time.Second)
			m.stall(time.Duration(1+i%2) * 500 * ms)
		}
	}},
	{"a dependency that becomes slow, hangs and comes back", func(m *machine) []kind {
		begin := time.Now()
		return []kind{{do: func(ctx context.Context) error {
			switch at := time.Since(begin); {
			case at < 5*time.Second:
				return m.waits(5 * ms)(ctx)
			case at < 10*time.Second:
				return m.waits(500 * ms)(ctx)
			case at < 20*time.Second:
				return m.waits(time.Minute)(ctx)
			default:
				return m.waits(5 * ms)(ctx)
			}
		}, rate: 300, deadline: 2 * time.Second}}
	}, nil},
	{"callers without hope beside others", func(m *machine) []kind {
		return []kind{
			{do: m.waits(50 * ms), rate: 800, deadline: 20 * ms, share: 3},
			{do: m.waits(50 * ms), rate: 150, deadline: time.Second},
		}
	}, nil},
	{"a first time that is ten times slower", func(m *machine) []kind {
		begin := time.Now()
		return []kind{{do: func(ctx context.Context) error {
			if time.Since(begin) < 10*time.Second {
				return m.waits(500 * ms)(ctx)
			}
			return m.waits(50 * ms)(ctx)
		}, rate: 200, deadline: 2 * time.Second}}
	}, nil},
	{"bursts", func(m *machine) []kind {
		return []kind{
			{do: m.waits(50 * ms), burst: 500, every: 2 * time.Second, deadline: 5 * time.Second, share: 2},
			{do: m.waits(50 * ms), rate: 50, deadline: time.Second},
		}
	}, nil},
	{"calls that are refused by the service itself", func(m *machine) []kind {
		return []kind{
			{do: m.computes(cost), rate: 1500, deadline: time.Second, share: 2},
			{do: m.waits(50 * ms), rate: 300, deadline: time.Second},
		}
	}, nil},
}

// No honest call is refused, and none is held back for longer than it would have waited for a
// processor.
func TestHonestLoads(t *testing.T) {
	for _, procs := range processors(1, 2, 64) {
		t.Run(strconv.Itoa(procs), func(t *testing.T) {
			for _, load := range honest {
				t.Run(load.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := newMachine(procs)
						l := NewWith(m.look, false)
						var beside sync.WaitGroup
						defer beside.Wait()
						if load.also != nil {
							beside.Go(func() { load.also(m) })
						}
						for i, r := range offer(m, l, 25*time.Second, load.kinds(m)...) {
							if r.refused > 0 || r.delayed > 10*ms {
								t.Errorf("of kind %d %d of %d calls were refused, and one waited for %v", i, r.refused, r.sent, r.delayed)
							}
						}
						wantIdle(t, l)
					})
				})
			}
		})
	}
}
