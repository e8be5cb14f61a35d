package balance

import (
	"testing"
	"time"
)

// A replica that is merely cold, slow for its first 300 calls, gets them, and has its share again.
func TestColdReplicaWarmsUp(t *testing.T) {
	for rate, within := range map[float64]time.Duration{15: 10 * time.Minute, 60: 2 * time.Minute, 300: 2 * time.Minute, 3000: 2 * time.Minute} {
		d := newDay(t, *seed, 3)
		served := 0
		cold := func(d *day, _ string, replica int) (time.Duration, bool) {
			if replica == 2 {
				if served++; served <= 300 {
					return 60 * time.Millisecond, false
				}
			}
			return d.lognormal(3*time.Millisecond, .2), false
		}
		for d.now < within && (served <= 300 || d.isOut(2)) {
			d.load(time.Second, rate, single, cold)
		}
		took, before, calls := d.now, served, d.calls
		d.load(time.Minute, rate, single, cold)
		share := float64(served-before) / float64(d.calls-calls)
		t.Logf("%4.0f calls/s: warm and back after %s", rate, took)
		if d.isOut(2) || served <= 300 || share < .32 || d.ejections > 1 {
			t.Errorf("at %.0f calls/s a replica that was cold has a share of %.2f after %s, and was taken out %d times, want a third, and at most once",
				rate, share, took, d.ejections)
		}
	}
}

// One that stays slow gets no more than what would have warmed it, and few calls from then on.
func TestSlowReplicaIsNotCold(t *testing.T) {
	for _, rate := range []float64{15, 60, 300, 3000} {
		d := newDay(t, *seed, 3)
		calls := 0
		slow := func(d *day, _ string, replica int) (time.Duration, bool) {
			if replica == 2 {
				calls++
				return 60 * time.Millisecond, false
			}
			return d.lognormal(3*time.Millisecond, .2), false
		}
		for !d.isOut(2) {
			d.load(time.Second, rate, single, slow)
		}
		before, all := calls, d.calls
		d.load(time.Minute, rate, single, slow)
		early := float64(calls-before) / float64(d.calls-all)
		d.load(30*time.Minute, rate, single, slow)
		total := calls - before
		before, all = calls, d.calls
		d.load(10*time.Minute, rate, single, slow)
		late := float64(calls-before) / float64(d.calls-all)
		t.Logf("%4.0f calls/s: share in the first minute %.4f, after half an hour and %d calls %.4f", rate, early, total, late)
		if early > .1 || late > .012 || late == 0 || d.ejections != 1 {
			t.Errorf("at %.0f calls/s a slow replica has a share of %.4f in the first minute and %.4f later, with %d ejections", rate, early, late, d.ejections)
		}
	}
}
