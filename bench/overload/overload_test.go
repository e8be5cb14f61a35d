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
	leastPerCPU   = .75 // calls served for each second of CPU, of those at the peak
	leastUseful   = .85 // served, of the works that were begun
	leastCritical = .8
	mostOfBurst   = burstCalls / 10 // refused
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
			checkOrder(t, on)
			if n := count(on.burst, is(refused)); n > mostOfBurst {
				t.Errorf("%d of %d calls into an idle service were refused", n, burstCalls)
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
	f := r.figures(p)
	if shape != "pool" && f.worth < leastPerCPU { // a call of pool costs less than its refusal
		t.Errorf("served %s of the peak for each second of CPU, expected at least %s", percent(f.worth), percent(leastPerCPU))
	}
	if useful := r.useful(); useful < leastUseful {
		t.Errorf("of the works that were begun %s were done in time, expected at least %s", percent(useful), percent(leastUseful))
	}
	if !f.recovered {
		t.Error("calls were not served again when the overload had ended")
	}
}

// checkOrder looks at which calls were served.
func checkOrder(t *testing.T, r result) {
	t.Helper()
	of := func(filters ...filter) float64 { return share(only(r.overload, filters...), is(served)) }
	first, last := of(worth(critical)), of(worth(sheddable))
	if first < leastCritical || first < last+.3 {
		t.Errorf("served %s of the critical calls and %s of the sheddable ones, expected at least %s and many more",
			percent(first), percent(last), percent(leastCritical))
	}
	light, heavy := of(whose(small)), of(whose(large))
	if light < heavy {
		t.Errorf("served %s of the small caller's calls and %s of the large one's, expected it not to starve", percent(light), percent(heavy))
	}
}
