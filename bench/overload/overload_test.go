package main

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestMain lets the test binary be the service's process, as the program itself is.
func TestMain(m *testing.M) {
	if shape := os.Getenv(envShape); shape != "" {
		exit(serve(context.Background(), shape))
	}
	os.Exit(m.Run())
}

// What the specification asks for is more: 90 % of the peak for pool and 85 % for cpu, 99 % of the critical calls. It is
// measured by hand on a quiet machine; what is left here is what a short run on a busy one can tell for certain.
const (
	leastOfPeak      = .6
	leastOfCritical  = .7
	mostOfBurst      = burstCalls / 10 // refused
	mostOfCoreAbsent = .4
)

func TestAdmissionKeepsAServiceWorthSomething(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	p := defaultPlan()
	p.peak, p.overload, p.calm, p.settle = 400*time.Millisecond, 5*time.Second, 2*time.Second, 0
	for _, shape := range []string{"pool", "cpu"} {
		t.Run(shape, func(t *testing.T) {
			results, err := measure(t.Context(), p, shape, []string{"on", "off"})
			if err != nil {
				t.Fatal(err)
			}
			if err := printTable(t.Output(), p, shape, results); err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if absent := r.absent(); absent > mostOfCoreAbsent {
					t.Skipf("others had the service's core for %s of the time, which leaves nothing to compare", percent(absent))
				}
			}
			on, off := results[0].figures(p), results[1].figures(p)
			checkWorth(t, shape, on, off)
			checkOrder(t, results[0])
			if !on.recovered {
				t.Error("calls were not served again when the overload had ended")
			}
			if n := count(results[0].burst, is(refused)); n > mostOfBurst {
				t.Errorf("%d of %d calls into an idle service were refused", n, burstCalls)
			}
		})
	}
}

// checkWorth compares calls per second where the core is not what is short, and else calls for each second of CPU, which
// others on the machine cannot take away.
func checkWorth(t *testing.T, shape string, on, off figures) {
	t.Helper()
	with, without := on.ratio, off.ratio
	if shape == "cpu" {
		with, without = on.worth, off.worth
	}
	if with < leastOfPeak || with < 2*without {
		t.Errorf("served %s of the peak with admission and %s without, expected at least %s and twice as much",
			percent(with), percent(without), percent(leastOfPeak))
	}
}

// checkOrder looks at who was served.
func checkOrder(t *testing.T, r result) {
	t.Helper()
	of := func(filters ...filter) float64 { return share(only(r.overload, filters...), is(served)) }
	first, last := of(worth(critical)), of(worth(sheddable))
	if first < leastOfCritical || first < last+.3 {
		t.Errorf("served %s of the critical calls and %s of the sheddable ones, expected at least %s and many more",
			percent(first), percent(last), percent(leastOfCritical))
	}
	light, heavy := of(whose(small)), of(whose(large))
	if light < heavy {
		t.Errorf("served %s of the small caller's calls and %s of the large one's, expected it not to starve", percent(light), percent(heavy))
	}
}
