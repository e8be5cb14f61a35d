package admission // to choose the processors

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hog has so many goroutines of something else compute all the time, each for so long at once, and
// returns when they have ended.
func (m *machine) hog(n int, each, lasting time.Duration) {
	end := time.Now().Add(lasting)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for time.Now().Before(end) {
				m.compute(each)
			}
		})
	}
	all.Wait()
}

// A worker of the service that computes all the time is no reason to refuse calls: holding them
// back does not help.
func TestWorkOfSomethingElse(t *testing.T) {
	for name, from := range map[string]time.Duration{"from the beginning": 0, "later": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(2)
				l := NewWith(m.look, false)
				var beside sync.WaitGroup
				beside.Go(func() {
					time.Sleep(from)
					m.hog(16, slice, 20*time.Second)
				})
				defer beside.Wait()
				r := offer(m, l, 20*time.Second,
					kind{do: m.waits(50 * ms), rate: 60, deadline: 5 * time.Second},
					kind{do: m.waits(2 * time.Second), rate: 20, deadline: 5 * time.Second, share: 1})
				for i, r := range r {
					if r.refused > 0 || r.died > r.sent/10 {
						t.Errorf("of kind %d %d of %d calls were refused and %d ran out of time", i, r.refused, r.sent, r.died)
					}
				}
				wantIdle(t, l)
			})
		})
	}
}

// A burst that takes the processors for longer than a second is served, and so are others
// meanwhile.
func TestBurstOfComputing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		l := NewWith(m.look, false)
		r := offer(m, l, 20*time.Second,
			kind{do: m.computes(5 * ms), burst: 500, every: 2 * time.Second, deadline: 10 * time.Second, share: 1},
			kind{do: m.computes(ms), rate: 50, deadline: 5 * time.Second})
		for i, r := range r {
			if r.ok != r.sent {
				t.Errorf("of kind %d %d of %d calls are served, %d refused", i, r.ok, r.sent, r.refused)
			}
		}
	})
}

// Where many callers at once keep the processors busy and wait for each answer, none is refused.
func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		l := NewWith(m.look, false)
		r := offer(m, l, 10*time.Second, kind{loops: 200, do: m.computes(5 * ms), deadline: 5 * time.Second})
		if r[0].ok != r[0].sent || r[0].sent < 3800 {
			t.Errorf("%d of %d calls are served", r[0].ok, r[0].sent)
		}
	})
}

// Where one method is overloaded the others are not.
func TestOneMethodOverloaded(t *testing.T) {
	for _, test := range []struct {
		work  time.Duration
		least float64 // now and then the limit is tried, which long calls feel
	}{{2 * ms, .99}, {20 * ms, .94}} {
		t.Run(test.work.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work := test.work
				m := newMachine(2)
				l := NewWith(m.look, false)
				capacity := 2 / (work + cost).Seconds()
				s := NewShares()
				r := offer(m, l, 20*time.Second,
					kind{do: m.computes(work), rate: 3 * capacity, deadline: deadline, share: s.Of("caller", 0)},
					kind{do: m.computes(work), rate: .1 * capacity, deadline: deadline, share: s.Of("caller", 1)})
				served := ratio(r[1])
				t.Logf("%.3f of the other method, of the capacity %.3f", served, (r[0].goodput(20*time.Second)+r[1].goodput(20*time.Second))/capacity)
				if served < test.least {
					t.Errorf("%.3f of the calls of the other method are served", served)
				}
				if goodput := (r[0].goodput(20*time.Second) + r[1].goodput(20*time.Second)) / capacity; goodput < .9 {
					t.Errorf("%.3f of the capacity is served", goodput)
				}
			})
		})
	}
}

// More callers than may run at once take turns.
func TestCallersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(1)
		l := NewWith(m.look, false)
		var kinds []kind
		for i := range 5 {
			kinds = append(kinds, kind{do: m.computes(5 * ms), rate: 120, deadline: deadline, share: uint8(10 * i)})
		}
		results := offer(m, l, 10*time.Second, kinds...)
		total := 0
		for _, r := range results {
			total += r.ok
		}
		for i, r := range results {
			if r.ok*len(results) < total*4/5 {
				t.Errorf("caller %d is served %d times, of %d for all", i, r.ok, total)
			}
		}
	})
}

// Calls that come again at once when they are refused do not keep the service from recovering.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		l := NewWith(m.look, false)
		offer(m, l, 5*time.Second, kind{do: m.computes(5 * ms), rate: 1200, deadline: deadline})
		offer(m, l, time.Second, kind{do: m.computes(5 * ms), rate: 200, deadline: deadline})
		if r := offer(m, l, 5*time.Second, kind{do: m.computes(5 * ms), rate: 200, deadline: deadline}); r[0].ok != r[0].sent {
			t.Errorf("a second after the overload %d of %d calls are served", r[0].ok, r[0].sent)
		}
		time.Sleep(5 * time.Second)
		r := offer(m, l, time.Second, kind{do: m.computes(5 * ms), rate: 200, deadline: deadline})
		if s := l.State(); r[0].ok != r[0].sent || s.Holding {
			t.Errorf("some time after it %d of %d calls are served, and the state is %+v", r[0].ok, r[0].sent, s)
		}
	})
}

// The processors that Go uses may change while the service runs.
func TestProcessorsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few, many := newMachine(1), newMachine(8)
		now := few
		l := NewWith(func() Look { return now.look() }, false)
		offer(few, l, 2*time.Second, kind{do: few.computes(5 * ms), rate: 600, deadline: deadline})
		now = many
		offer(many, l, time.Second, kind{do: many.computes(5 * ms), rate: 1200, deadline: deadline})
		if r := offer(many, l, 2*time.Second, kind{do: many.computes(5 * ms), rate: 1200, deadline: deadline}); r[0].ok != r[0].sent {
			t.Errorf("with eight processors %d of %d calls are served", r[0].ok, r[0].sent)
		}
		now = few
		if r := offer(few, l, 5*time.Second, kind{do: few.computes(5 * ms), rate: 600, deadline: deadline}); r[0].goodput(5*time.Second) < 170 {
			t.Errorf("with one processor %.0f of 200 calls a second are served", r[0].goodput(5*time.Second))
		}
	})
}

// A limiter that only reports says nothing of honest loads, and much of an overload.
func TestReporting(t *testing.T) {
	for _, load := range honest {
		t.Run(load.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(2)
				l := NewWith(m.look, true)
				var beside sync.WaitGroup
				defer beside.Wait()
				if load.also != nil {
					beside.Go(func() { load.also(m) })
				}
				for i, r := range offer(m, l, 25*time.Second, load.kinds(m)...) {
					if r.report > 0 || r.refused > 0 || r.delayed > 0 {
						t.Errorf("of kind %d %d of %d calls would have been refused, %d were, and one was held back for %v", i, r.report, r.sent, r.refused, r.delayed)
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		l := NewWith(m.look, true)
		r := offer(m, l, 10*time.Second, kind{do: m.computes(5 * ms), rate: 1200, deadline: deadline})[0]
		if share := float64(r.report) / float64(r.sent); share < .2 || r.refused > 0 {
			t.Errorf("%.2f of the calls at three times the capacity would have been refused, and %d were", share, r.refused)
		}
	})
}

// When the calls have ended no others need come for the gate to open.
func TestGateOpensWithoutCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(2)
		l := NewWith(m.look, false)
		offer(m, l, 2*time.Second, kind{do: m.computes(5 * ms), rate: 1200, deadline: deadline})
		before := l.State()
		time.Sleep(quiet + calm)
		if after := l.State(); !before.Holding || after.Holding {
			t.Errorf("calls are held back at the end: %t, and some time later: %t", before.Holding, after.Holding)
		}
	})
}
