package admission

import "time"

// limit is how many calls may run at once, whatever the processors say. It changes only while it holds calls back, or
// while their time runs out, by trials: what was better is kept.
type limit struct {
	now, least int
	pressed    bool          // it held calls back since the last window
	lost       bool          // most of the work of the last window was wasted
	window     time.Duration // how long the next window is to be

	unloaded time.Duration // how long a call takes that has nobody in its way, as far as is known

	settling bool // the next window still shows calls from before a change
	trial    direction
	next     direction // of the next trial
	from     int       // the limit before the trial
	before   float64   // the rate before the trial
	step     float64   // of a trial
	rest     int       // windows until the next one
}

type direction int

const (
	nowhere direction = iota
	down
	up
)

const (
	firstLimit  = 100
	mostAtOnce  = 10_000
	leastAtOnce = 4

	shortestWindow = 50 * time.Millisecond
	restWindows    = 20

	coarse, fine = 2, 1.4 // steps: until the first trial has failed, and from then on

	// freely is up to how many times what a call takes alone they may take and still have room.
	freely = 1.5
	// keeps is the share of the rate at which less is as good as more, and gains how many times the rate more has to bring.
	keeps, gains = .96, 1.06
	// aging lets calls become slower for good: what they take alone is believed for some hundred windows.
	aging = 1.005
)

// newLimit returns the first limit of a service that may use so many processors. A pool is no larger where there are more
// of them: the least does not grow with their number.
func newLimit(procs int) limit {
	return limit{now: max(firstLimit, 2*procs), least: min(2*procs, leastAtOnce), window: shortestWindow, step: coarse, next: down}
}

// adapt takes in what a window has shown.
func (l *limit) adapt(w window) {
	pressed := l.pressed
	l.pressed = false
	l.window = min(max(shortestWindow, w.mean()), longestWindow)
	l.learn(w)
	wasLost := l.lost
	l.lost = w.wasted*4 > w.done*3
	switch {
	case l.settling:
		l.settling = false
	case l.trial != nowhere:
		l.judge(w)
	case l.lost && wasLost: // the limit is too far off to matter; some callers give up at the best of times
		l.set(min(w.peak, l.now) / 2)
	case l.rest > 0:
		l.rest--
	case pressed && l.step == coarse && l.roomy(w): // at first it grows as fast as calls take
		l.set(l.now * coarse)
		l.settling = false
	case pressed || w.peak >= l.now && w.wasted*10 > w.done:
		l.try(w)
	}
}

// learn follows how long a call takes alone.
func (l *limit) learn(w window) {
	l.unloaded = time.Duration(float64(l.unloaded) * aging)
	if l.unloaded == 0 || w.fastest < l.unloaded {
		l.unloaded = w.fastest
	}
}

// roomy reports whether calls take hardly longer than they do alone.
func (l *limit) roomy(w window) bool { return float64(w.mean()) <= freely*float64(l.unloaded) }

// try begins a trial: of more where calls have room, else by turns.
func (l *limit) try(w window) {
	l.trial, l.from, l.before = l.next, l.now, w.rate()
	if l.roomy(w) {
		l.trial = up
	}
	if l.trial == up {
		l.set(int(float64(l.now)*l.step) + 1)
	} else {
		l.set(int(float64(l.now) / l.step))
	}
	if l.now == l.from {
		l.settle(up)
	}
}

// judge goes on where a trial was better, and takes it back where it was not.
func (l *limit) judge(w window) {
	switch {
	case l.trial == down && w.rate() >= keeps*l.before:
		l.next = down
		l.try(w)
	case l.trial == up && w.rate() >= gains*l.before:
		l.next, l.unloaded = up, w.fastest
		l.try(w)
	default:
		l.set(l.from)
		l.settle(down + up - l.trial)
	}
}

// settle ends a series of trials. The next begins later and takes smaller steps.
func (l *limit) settle(next direction) {
	if l.step == fine {
		l.rest = restWindows
	}
	l.trial, l.next, l.step = nowhere, next, fine
}

func (l *limit) set(n int) {
	n = min(max(n, l.least), mostAtOnce)
	l.settling = n != l.now
	l.now = n
}
