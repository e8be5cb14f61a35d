package admission

import (
	"math"
	"time"
)

const (
	// judged is the time after which a line is judged, and enoughLet the number of calls that
	// must have been admitted by then. Without them the window continues, up to longestWindow.
	judged        = 100 * time.Millisecond
	longestWindow = time.Second
	enoughLet     = 10

	// In a burst, or with callers who wait for their answers, calls also arrive faster than they
	// leave for some time, and all of them can still be served. It is an overload if calls arrive
	// faster than they leave for endless. Time in which calls expire in the line counts several
	// times, by the factor weighs. The overload ends after calms windows with few refusals.
	endless = 2 * time.Second
	weighs  = 7
	calms   = 5

	// Callers who retry refused calls at once can keep up an overload that would end without
	// refusals. So an overload ends after firstEnd, and each further one after four times as long
	// up to lastEnd, until a window is deadly again.
	firstEnd = 2 * time.Second
	lastEnd  = 32 * time.Second

	// stillness is the longest counted time between two events. In a longer one the process did
	// not run, or no call arrived.
	stillness = 20 * time.Millisecond
	// newDay is the time without events after which earlier observations are dropped.
	newDay = time.Second

	// longDead is the time that a call must have waited before it expired, to count against the
	// line: callers may have chosen short deadlines.
	longDead = 100 * time.Millisecond
	fewDead  = 3 // in a window are chance

	smooth = 4 // windows, as one may show few calls of a share by chance
)

// judge distinguishes an overload from a burst: in an overload more calls join a line than leave
// it.
type judge struct {
	at    time.Duration // of the last event
	stood time.Duration // how long the window lasts already, without standing still

	arrived, let, turnedAway, died int // in this window

	growing  time.Duration // for how long more calls have come than gone, at a stretch
	calm     int           // windows in a row
	overload bool          // more comes than can be done

	wasDeadly bool          // the last window
	left      time.Duration // of the overload, if it goes on so long
	lasts     time.Duration // how long the last one was to be, zero for none lately
	doubt     bool          // what is short may be something else: no call is refused
	interval  time.Duration // between two calls that are let in, in the last windows
	rate      float64       // of calls that came in the last window, in a second

	now  [shares]uint16  // calls that came in this window, by share
	asks [shares]float32 // and in a window before, on average
	fair float32         // what each could have had of the window before
}

// each returns the time between two admitted calls, zero if it is not known.
func (j *judge) each() time.Duration {
	if j.interval == 0 && j.let >= enoughLet {
		return j.stood / time.Duration(j.let)
	}
	return j.interval
}

// deadly reports whether in this window more calls than by chance have expired without a turn.
func (j *judge) deadly() bool { return j.died >= fewDead && j.died*10 > j.let }

// dying reports whether calls expire in the line at present.
func (j *judge) dying() bool { return j.wasDeadly || j.deadly() }

// refuses reports whether calls are refused if their turn does not come soon.
func (j *judge) refuses() bool { return j.overload && !j.doubt }

// event adds the passed time. It is called before each change of the line, and at intervals while
// calls wait.
func (j *judge) event(now time.Duration, waiting int) {
	gap := now - j.at
	j.at = now
	if gap > newDay {
		*j = judge{at: now, doubt: j.doubt}
		return
	}
	j.stood += min(gap, stillness)
	if j.stood < judged || j.let < enoughLet && j.stood < longestWindow {
		return
	}
	j.close(waiting)
	j.divide()
	j.stood, j.arrived, j.let, j.turnedAway, j.died = 0, 0, 0, 0, 0
}

// close judges a window.
func (j *judge) close(waiting int) {
	interval := j.stood / time.Duration(max(j.let, 1))
	if j.interval > 0 {
		interval = (j.interval + interval) / 2
	}
	j.wasDeadly = waiting > 0 && j.deadly()
	j.interval, j.rate = interval, float64(j.arrived)/j.stood.Seconds()
	if j.overload {
		j.relax()
		return
	}
	switch {
	case j.wasDeadly:
		j.growing += weighs * j.stood
		if j.lasts > 0 {
			j.growing = endless // it goes on
		}
	case waiting > 0 && j.arrived > j.let+j.let/4+enoughLet/2:
		j.growing += j.stood
	default:
		j.growing = 0
		j.forget(waiting)
	}
	if j.growing >= endless {
		j.overload, j.growing, j.calm = true, 0, 0
		j.lasts = min(max(4*j.lasts, firstEnd), lastEnd)
		j.left = j.lasts
	}
}

// forget ends the memory of the last overload when no call has waited for some time.
func (j *judge) forget(waiting int) {
	if j.calm++; waiting > 0 {
		j.calm = 0
	}
	if j.calm >= calms {
		j.lasts = 0
	}
}

// relax ends an overload when no calls had to be refused, or few for some time.
func (j *judge) relax() {
	lost := j.turnedAway + j.died
	if 3*lost < j.arrived {
		j.calm++
	} else {
		j.calm = 0
	}
	if lost == 0 || j.calm >= calms {
		j.overload, j.lasts = false, 0
	}
	if j.left -= j.stood; j.left <= 0 {
		j.overload, j.calm = false, 0
	}
}

// came counts a call of a share.
func (j *judge) came(share uint8) {
	j.arrived++
	if j.now[share] < math.MaxUint16 {
		j.now[share]++
	}
}

// asksOf returns the load of a share in relation to its fair part of the previous window.
func (j *judge) asksOf(share uint8) float32 { return j.asks[share] / max(j.fair, 1) }

// divide ends a window of shares. Each share gets what it asks for, up to a part that is equal
// for all larger ones (max-min fairness).
func (j *judge) divide() {
	for share, n := range &j.now {
		j.asks[share] += (float32(n) - j.asks[share]) / smooth
	}
	j.now = [shares]uint16{}
	for part := float32(0); ; part = j.fair {
		rest, more := float32(j.let), 0
		for _, asks := range &j.asks {
			if asks <= part {
				rest -= asks
			} else {
				more++
			}
		}
		if more == 0 {
			return
		}
		if j.fair = rest / float32(more); j.fair <= part {
			return
		}
	}
}
