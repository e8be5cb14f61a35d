package chassistest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// stallBeat is the interval at which the watch reads the clock.
	stallBeat = 5 * time.Millisecond
	// stallLeast is the shortest time without progress that counts as a stall, and the time that
	// the machine then needs to catch up.
	stallLeast = 100 * time.Millisecond
	// mostStalled is the share of stalls in a restart above which losses during stalls prove
	// nothing.
	mostStalled = 0.1
)

// stall is a time during which the machine or the process did not run.
type stall struct {
	from, to time.Time
}

func (s stall) lasted() time.Duration { return s.to.Sub(s.from) }

// explains reports whether a call overlapped the stall or the time to catch up after it.
func (s stall) explains(made, end time.Time) bool {
	return !s.from.After(end) && !s.to.Add(stallLeast).Before(made)
}

// stalls are the stalls of one load, in their order.
type stalls struct {
	mu   sync.Mutex
	all  []stall
	last time.Time // that the watch looked at the clock
}

// watch records stalls until stop is closed.
func (w *stalls) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(stallBeat)
	defer ticker.Stop()
	w.beat(time.Now())
	for {
		select {
		case <-stop:
			w.beat(time.Now())
			return
		case <-ticker.C:
			w.beat(time.Now())
		}
	}
}

// beat records a stall if the previous beat was too long ago.
func (w *stalls) beat(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.last.IsZero() && now.Sub(w.last) >= stallLeast {
		w.all = append(w.all, stall{w.last, now})
	}
	w.last = now
}

// share returns the share of stalls in a duration.
func (w *stalls) share(of time.Duration) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	for _, s := range w.all {
		sum += s.lasted()
	}
	return float64(sum) / float64(max(of, 1))
}

// explaining returns the stall that explains the loss of a call, false if none does.
func (w *stalls) explaining(f lost) (stall, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.all, func(s stall) bool { return s.explains(f.made, f.end) })
	if i < 0 {
		return stall{}, false
	}
	return w.all[i], true
}

// mostNamed is the number of lost calls of each kind that are listed. The others are counted.
const mostNamed = 25

// report fails the test for each kind with lost calls that no stall explains, and if stalls were
// too long to decide. The load must have ended.
func (l *load) report() {
	l.t.Helper()
	var excused []lost
	for _, c := range l.clients {
		var guilty []lost
		for _, f := range l.failed {
			if f.kind != c.kind {
				continue
			}
			if _, ok := l.stalls.explaining(f); ok {
				excused = append(excused, f)
			} else {
				guilty = append(guilty, f)
			}
		}
		if len(guilty) > 0 {
			l.t.Errorf("chassistest: %s: %d of %d calls were lost:\n%s", c.kind, len(guilty), l.calls[c.kind], l.describe(guilty))
			continue
		}
		l.t.Logf("%s: %d calls, none lost outside of stalls, the longest took %s; %d were left out while the machine was busy",
			c.kind, l.calls[c.kind], l.longest[c.kind].Round(time.Millisecond), l.skipped[c.kind])
	}
	l.reportExcused(excused)
}

// reportExcused logs the calls that were lost in stalls.
func (l *load) reportExcused(excused []lost) {
	l.t.Helper()
	if len(excused) == 0 {
		return
	}
	text := fmt.Sprintf("%d calls were lost while the machine stood still:\n%s\n%s", len(excused), l.byStall(excused), l.describe(excused))
	if share := l.stalls.share(l.end.Sub(l.begun)); share > mostStalled {
		l.t.Errorf("chassistest: cannot tell whether the service loses calls: the machine stood still for %.0f %% of the restart, "+
			"expected at most %.0f %%: run the test on a machine with less to do. %s", 100*share, 100*mostStalled, text)
		return
	}
	l.t.Logf("chassistest: %s", text)
}

// byStall returns how many losses each stall explains.
func (l *load) byStall(excused []lost) string {
	counts, order := map[stall]int{}, []stall{}
	for _, f := range excused {
		s, _ := l.stalls.explaining(f)
		if counts[s]++; counts[s] == 1 {
			order = append(order, s)
		}
	}
	slices.SortFunc(order, func(a, b stall) int { return a.from.Compare(b.from) })
	var text []string
	for _, s := range order {
		text = append(text, fmt.Sprintf("%d in a stall of %s, which began %.3fs into the restart",
			counts[s], s.lasted().Round(time.Millisecond), s.from.Sub(l.begun).Seconds()))
	}
	return strings.Join(text, "\n")
}

// describe lists lost calls, one a line.
func (l *load) describe(all []lost) string {
	var named []string
	for _, f := range all[:min(len(all), mostNamed)] {
		named = append(named, l.describeOne(f))
	}
	if len(all) > mostNamed {
		named = append(named, fmt.Sprintf("and %d more", len(all)-mostNamed))
	}
	return strings.Join(named, "\n")
}

// describeOne describes a lost call, with the last signal before its end.
func (l *load) describeOne(f lost) string {
	took := f.end.Sub(f.made).Round(time.Millisecond)
	for _, s := range slices.Backward(l.signals) {
		if !f.end.Before(s.at) {
			return fmt.Sprintf("%s: made %+.3fs from the signal to replica %d, failed after %s: %v",
				f.kind, f.made.Sub(s.at).Seconds(), s.replica+1, took, f.err)
		}
	}
	return fmt.Sprintf("%s: made before any signal, failed after %s: %v", f.kind, took, f.err)
}
