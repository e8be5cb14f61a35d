package main

import (
	"os"
	"testing"
	"time"

	"github.com/betmakers/paddock/bench/internal/certs"
)

// TestMain lets the test binary be the service's process, as the program itself is.
func TestMain(m *testing.M) {
	playPart()
	os.Exit(m.Run())
}

// bound is the least that an overload must leave. Others can take the service's core, so nothing
// counts calls per second: what the service spends on calls that are answered in time is compared
// with what it has. What others take still costs calls their deadlines, so that a bound has room
// for the share of the wanted core that they had.
type bound struct{ alone, room float64 }

var (
	perCPU    = bound{.85, .3} // calls served for each second of CPU, of those at the peak
	ofPool    = bound{.95, .3} // served, of the works that were begun
	ofCPU     = bound{.98, .2} // the same
	criticals = bound{.95, .4} // served, of the critical calls for which there was room
)

func (b bound) check(t *testing.T, what string, got, taken float64) {
	t.Helper()
	if least := b.alone - b.room*taken; got < least {
		t.Errorf("%s: %s, expected at least %s where others had %s of the core", what, percent(got), percent(least), percent(taken))
	}
}

func TestAnOverloadLeavesAServiceItsWorth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	p := defaultPlan()
	p.peak, p.overload, p.calm, p.settle = 300*time.Millisecond, 4*time.Second, 2*time.Second, 0
	for _, shape := range []string{"pool", "cpu"} {
		t.Run(shape, func(t *testing.T) {
			on := measured(t, p, shape, "on")
			checkWorth(t, p, shape, &on)
			checkOrder(t, &on)
			if n := count(on.burst, is(refused)); n > 0 {
				t.Errorf("%d of %d calls into an idle service were refused, expected none", n, burstCalls)
			}
		})
	}
}

func measured(t *testing.T, p plan, shape, admission string) (r result) {
	t.Helper()
	err := withCertificates(func(dir certs.Dir) error {
		results, err := measure(t.Context(), p, dir, shape, []string{admission})
		if err == nil {
			r, err = results[0], printTable(t.Output(), p, shape, results)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkWorth looks at what the service spent on calls that were answered in time.
func checkWorth(t *testing.T, p plan, shape string, r *result) {
	t.Helper()
	f, useful := r.figures(p), ofPool
	if shape != "pool" { // to refuse a call of pool costs as much as to serve it
		useful = ofCPU
		perCPU.check(t, "served for each second of CPU, of the peak", f.worth, r.taken())
	}
	useful.check(t, "done in time, of the works that were begun", r.useful(), r.taken())
	if !f.recovered {
		t.Error("calls were not served again when the overload had ended")
	}
}

// checkOrder looks at which calls were served.
func checkOrder(t *testing.T, r *result) {
	t.Helper()
	criticals.check(t, "served, of the critical calls for which there was room", r.critical(), r.taken())
	of := func(f filter) float64 { return share(only(r.overload, f), is(served)) }
	if first, last := of(worth(critical)), of(worth(sheddable)); first < 2*last {
		t.Errorf("served %s of the critical calls and %s of the sheddable ones, expected twice as much", percent(first), percent(last))
	}
	if light, heavy := of(whose(small)), of(whose(large)); light < heavy {
		t.Errorf("served %s of the small caller's calls and %s of the large one's, expected it not to starve", percent(light), percent(heavy))
	}
}
