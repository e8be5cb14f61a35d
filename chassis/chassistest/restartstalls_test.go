package chassistest

// These tests look inside because a machine cannot be made to stand still when a test wants it to:
// the stalls are beats of the watch that are given to it.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// loadReport drives a load for ten seconds of virtual time whose calls fail at those times, after
// stalls, and returns what it reports.
func loadReport(t *testing.T, fails, stalls []span) (failures, logs string) {
	t.Helper()
	fake := &recorder{TB: t}
	synctest.Test(t, func(*testing.T) {
		begun := time.Now()
		within := func(all []span) bool {
			for _, s := range all {
				if at := time.Since(begun); at >= s.from && at < s.to {
					return true
				}
			}
			return false
		}
		l := newLoad(fake, []client{{kind: "gRPC", call: func(context.Context) error {
			if within(fails) {
				return errors.New("refused")
			}
			return nil
		}}}, 100)
		l.start()
		time.Sleep(10*time.Second + 5*time.Millisecond) // all of the thousandth tick
		l.finish()
		for _, s := range stalls {
			l.stalls.all = append(l.stalls.all, stall{begun.Add(s.from), begun.Add(s.to)})
		}
		l.report()
	})
	return strings.Join(fake.failures, "\n"), strings.Join(fake.logs, "\n")
}

// span is a time since the beginning of the load.
type span struct{ from, to time.Duration }

func at(from, to time.Duration) []span {
	return []span{{from * time.Millisecond, to * time.Millisecond}} //nolint:durationcheck // numbers of milliseconds
}

func TestLossesAndStalls(t *testing.T) {
	for _, test := range []struct {
		name         string
		fails        []span
		stalls       []span
		fail, logged string // parts; empty for no failure
	}{
		{name: "nothing is lost", logged: "none lost"},
		{name: "nothing is lost in spite of stalls", stalls: at(1000, 9000), logged: "none lost"},
		{name: "losses without a stall", fails: at(2001, 2101), fail: "gRPC: 10 of 1000"},
		{name: "losses before a stall", fails: at(2001, 2101), stalls: at(2200, 2500), fail: "10 of 1000"},
		{name: "losses long after a stall", fails: at(2001, 2101), stalls: at(1500, 1850), fail: "10 of 1000"},
		{
			name: "losses in a stall and right after it", fails: at(2001, 2281), stalls: at(2000, 2200),
			logged: "28 calls were lost while the machine stood still:\n28 in a stall of 200ms, which began 2.000s into the restart",
		},
		{name: "losses that a stall does not cover", fails: at(2001, 2501), stalls: at(2000, 2200), fail: "20 of 1000", logged: "30 in a stall"},
		{
			name: "more stalls than let anything be told", fails: at(2001, 2101), stalls: at(1500, 3000),
			fail: "cannot tell whether the service loses calls: the machine stood still for 15 % of the restart, expected at most 10 %",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			failures, logs := loadReport(t, test.fails, test.stalls)
			if (test.fail == "") != (failures == "") || !strings.Contains(failures, test.fail) {
				t.Errorf("failed with %q, want %q", failures, test.fail)
			}
			if !strings.Contains(logs, test.logged) {
				t.Errorf("logged %q, want %q", logs, test.logged)
			}
		})
	}
}

// A beat that is on time is no stall, and one that is late is one from the beat before.
func TestBeats(t *testing.T) {
	begun := time.Now()
	var w stalls
	for _, after := range []time.Duration{0, 5, 10, 109, 209, 214, 1000} {
		w.beat(begun.Add(after * time.Millisecond)) //nolint:durationcheck // a number of milliseconds
	}
	var got []string
	for _, s := range w.all {
		got = append(got, fmt.Sprint(s.from.Sub(begun), "-", s.to.Sub(begun)))
	}
	if want := "[109ms-209ms 214ms-1s]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// recorder keeps what a test reports.
type recorder struct {
	testing.TB
	failures, logs []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}
