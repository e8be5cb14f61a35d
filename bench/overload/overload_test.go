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

// What an overload must leave on any machine. Others can take the service's core, so nothing counts calls per second: what
// the service spends on calls that are answered in time is compared with what it has.
const (
	leastPerCPU   = .8  // calls served for each second of CPU, of those at the peak; of pool none, see below
	leastOfPool   = .8  // served, of the works that were begun
	leastOfCPU    = .95 // the same
	leastCritical = .8  // of the critical calls for which there was room
)

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
	f, least := r.figures(p), leastOfCPU
	if shape == "pool" {
		least = leastOfPool // a call waits for the machine between its turn and its answer, too
	} else if f.worth < leastPerCPU { // to refuse a call of pool costs as much as to serve it
		t.Errorf("served %s of the peak for each second of CPU, expected at least %s", percent(f.worth), percent(leastPerCPU))
	}
	if useful := r.useful(); useful < least {
		t.Errorf("of the works that were begun %s were done in time, expected at least %s", percent(useful), percent(least))
	}
	if !f.recovered {
		t.Error("calls were not served again when the overload had ended")
	}
}

// checkOrder looks at which calls were served.
func checkOrder(t *testing.T, r *result) {
	t.Helper()
	if first := r.critical(); first < leastCritical {
		t.Errorf("served %s of the critical calls for which there was room, expected at least %s", percent(first), percent(leastCritical))
	}
	of := func(f filter) float64 { return share(only(r.overload, f), is(served)) }
	if first, last := of(worth(critical)), of(worth(sheddable)); first < last+.3 {
		t.Errorf("served %s of the critical calls and %s of the sheddable ones, expected many more", percent(first), percent(last))
	}
	if light, heavy := of(whose(small)), of(whose(large)); light < heavy {
		t.Errorf("served %s of the small caller's calls and %s of the large one's, expected it not to starve", percent(light), percent(heavy))
	}
}
