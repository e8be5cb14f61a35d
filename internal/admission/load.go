package admission

import "time"

// load measures what runs, window by window.
type load struct {
	running int
	now     window
	since   time.Time // when the window began
	at      time.Time // when something ran last

	service, interval time.Duration // of past windows: see below
}

// window is what was seen in a while.
type window struct {
	took         time.Duration // without the time in which nothing ran
	done, wasted int           // calls that ended, and those of them that were of no use to anybody
	sum, fastest time.Duration // of the calls that ended
	peak         int           // of the calls that ran at once
}

func (w window) mean() time.Duration { return w.sum / time.Duration(max(w.done, 1)) }

// rate is how many calls succeeded in a second.
func (w window) rate() float64 { return float64(w.done-w.wasted) / w.took.Seconds() }

// A window ends when it has seen enough calls, at the latest after a second, if it has seen any.
const (
	enoughCalls   = 20
	longestWindow = time.Second
)

func (l *load) began(now time.Time) {
	if l.running == 0 { // the time without calls is none that they took
		l.since = l.since.Add(now.Sub(l.at))
	}
	l.at = now
	l.running++
	l.now.peak = max(l.now.peak, l.running)
}

func (l *load) left(now time.Time) {
	l.running--
	l.at = now
}

func (l *load) ended(took time.Duration, o Outcome) {
	w := &l.now
	if w.done == 0 || took < w.fastest {
		w.fastest = took
	}
	w.done++
	w.sum += took
	if o == Wasted {
		w.wasted++
	}
}

// window ends the window if it is at least as long as asked, and tells what was in it. Only while calls wait does it show
// how many can be done.
func (l *load) window(now time.Time, atLeast time.Duration, waiting bool) (window, bool) {
	l.now.took = now.Sub(l.since)
	if l.now.took < atLeast || l.now.done < enoughCalls && l.now.took < longestWindow {
		return window{}, false
	}
	w := l.now
	l.service = smooth(l.service, w.mean())
	if waiting {
		l.interval = smooth(l.interval, w.took/time.Duration(w.done))
	}
	l.since, l.now = now, window{peak: l.running}
	return w, true
}

// smooth follows what is measured half-way. Service, the mean time of a call that runs, and interval, the mean time
// between two that end while others wait, are zero while nothing is known.
func smooth(old, measured time.Duration) time.Duration {
	if old == 0 {
		return measured
	}
	return (old + measured) / 2
}
