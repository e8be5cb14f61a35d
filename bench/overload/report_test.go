package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// calls returns ten calls for each window of 100 ms, of which as many as bad says are not served.
func windows(begin time.Duration, bad ...int) (calls []call) {
	for w, n := range bad {
		for i := range 10 {
			c := call{due: begin + time.Duration(10*w+i)*recoveryWindow/10, outcome: served}
			if i < n {
				c.outcome = refused
			}
			calls = append(calls, c)
		}
	}
	return calls
}

func TestRecovery(t *testing.T) {
	const begin = 30 * time.Second
	tests := map[string]struct {
		calls []call
		want  time.Duration
		never bool
	}{
		"at once":                   {calls: windows(begin, 0, 0), want: 100 * time.Millisecond},
		"in the third window":       {calls: windows(begin, 10, 1, 0, 0), want: 300 * time.Millisecond},
		"the first good one counts": {calls: windows(begin, 5, 0, 1, 0), want: 200 * time.Millisecond},
		"never":                     {calls: windows(begin, 1, 1, 1), never: true},
		"no calls":                  {never: true},
		"a window without any":      {calls: windows(begin+200*time.Millisecond, 0), want: 300 * time.Millisecond},
	}
	for name, test := range tests {
		got, recovered := recovery(test.calls, begin)
		if got != test.want || recovered == test.never {
			t.Errorf("%s: recovered %t after %s, expected %t after %s", name, recovered, got, !test.never, test.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var calls []call
	for i := range 100 {
		calls = append(calls, call{took: time.Duration(100 - i)})
	}
	for q, want := range map[float64]time.Duration{0: 1, .5: 51, .99: 100, 1: 100} {
		if got := quantile(calls, q, took); got != want {
			t.Errorf("quantile %v: %d, expected %d", q, got, want)
		}
	}
	if got := quantile(nil, .5, took); got != 0 {
		t.Errorf("quantile of nothing: %d, expected 0", got)
	}
}

func TestFiguresAreMadeOfTheCalls(t *testing.T) {
	p := plan{overload: time.Second, calm: time.Second}
	began := time.Now()
	r := result{
		peak: peak{served: 20, perSecond: 80}, overload: windows(0, 5, 5, 5, 5), calm: windows(time.Second, 0),
		samples: []usage{{at: began}, {at: began.Add(time.Second / 2)}, {at: began.Add(time.Second), cpu: time.Second / 2}},
	}
	f := r.figures(p)
	if f.offered != 40 || f.goodput != 20 || f.ratio != 1 || f.worth != .5 || !f.recovered {
		t.Errorf("got %+v, expected 40 calls offered and 20 served, which is the peak, for twice the CPU, and a recovery", f)
	}
}

func TestCriticalCallsCountWhereThereWasRoom(t *testing.T) {
	of := func(begin time.Duration, w criticality, n, ok int) (calls []call) {
		for i := range n {
			c := call{due: begin + time.Duration(i), criticality: w, outcome: refused}
			if i < ok {
				c.outcome = served
			}
			calls = append(calls, c)
		}
		return calls
	}
	late := call{due: timelineStep, criticality: critical, outcome: expired, lag: time.Second}
	tests := map[string]struct {
		calls []call
		want  float64
	}{
		"all of them":                  {slices.Concat(of(0, critical, 10, 10), of(10, sheddable, 30, 5)), 1},
		"room for half":                {of(0, critical, 10, 5), 1},
		"half of it went to sheddable": {slices.Concat(of(0, critical, 10, 5), of(10, sheddable, 30, 5)), .5},
		"each half second for itself":  {slices.Concat(of(0, critical, 10, 0), of(timelineStep, sheddable, 30, 10)), 0},
		"late ones do not count":       {slices.Concat(of(0, critical, 10, 10), []call{late}, of(timelineStep, sheddable, 9, 9)), 1},
	}
	for name, test := range tests {
		r := result{overload: test.calls}
		if got := r.critical(); got != test.want {
			t.Errorf("%s: %v, expected %v", name, got, test.want)
		}
	}
}

func TestTableHasAColumnForEachResult(t *testing.T) {
	p := defaultPlan()
	results := []result{
		{admission: "on", peak: peak{served: 1000}, samples: make([]usage, 2)},
		{admission: "off", peak: peak{served: 900}, samples: make([]usage, 2)},
	}
	var out strings.Builder
	if err := printTable(&out, p, "pool", results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[2:]
	for _, line := range lines {
		if n := strings.Count(line, "|"); n != 4 {
			t.Errorf("%q has %d bars, expected those of three cells", line, n)
		}
	}
	has := func(cells ...string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return slices.Equal(split(line), cells) })
	}
	if !has("admission", "on", "off") || !has("peak, calls/s", "1000", "900") {
		t.Errorf("a line is missing in:\n%s", out.String())
	}
}

func split(line string) (cells []string) {
	for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}
