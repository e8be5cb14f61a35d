package admission

import "time"

const (
	// standing is how long the scheduler's queue must have been long at every look for the gate to close, and short for it to
	// open. Four looks are the least.
	standing = 20 * time.Millisecond
	apart    = 5 * time.Millisecond // the longest time between two looks that counts

	// A closed gate that holds calls back makes the scheduler's queue shorter, if it is calls that stand in it. What is left
	// of it when no more were let in for proof is work of something else, and counts half from then on. So do goroutines that
	// were runnable all the time for aging, with the gate open.
	proof = 250 * time.Millisecond
	aging = 5 * time.Second

	// While the queue is short and calls are held back the limit grows: by an eighth of what it began with at each look. From
	// the first time on that this was too much it grows at each pause, by one call for each processor at first and twice as
	// much each time.
	pause = 5 * time.Millisecond
)

// gate lets calls in as far as the scheduler's queue is short. It knows nothing of calls but how many run and wait.
type gate struct {
	closed bool
	procs  int
	limit  int  // of calls that run while it is closed
	first  int  // limit
	gentle bool // it has grown too much once

	at    time.Duration // of the last look
	grown time.Duration // when the limit last grew
	step  int           // by which it grows next, at least
	long  time.Duration // for how long each look has shown a long queue
	short time.Duration // and for how long a short one, and no call that waits

	others minimum // goroutines that are no call's
}

// floor is how many calls run in any case.
func (g *gate) floor() int { return 2 * g.procs }

// free reports whether one more call may begin where so many run.
func (g *gate) free(running int) bool { return running < max(g.limit, g.floor()) }

// saw takes in a look, and how many calls run and wait.
func (g *gate) saw(l Look, running, waiting int, now time.Duration) {
	gap := min(now-g.at, apart)
	g.at, g.procs = now, max(l.Procs, 1)
	if !g.closed || waiting > 0 {
		g.others.take(l.Runnable, now, g.settling())
	}
	others := g.others.known
	excess := max(l.Runnable-others, 0)
	long := excess > max(g.floor(), others)
	g.long = lasting(g.long, gap, long)
	g.short = lasting(g.short, gap, !long && waiting == 0)
	switch {
	case !g.closed && g.long >= standing:
		g.close(running, now)
	case !g.closed:
	case g.short >= 5*standing:
		g.open(now)
	case g.long >= standing:
		g.shrink(running, excess)
	case excess > max(g.procs, others/2):
		g.step = g.procs
	case running >= g.limit:
		g.grow(now)
	}
}

// lasting adds up for how long something has been so.
func lasting(before, gap time.Duration, so bool) time.Duration {
	if !so {
		return 0
	}
	return before + gap
}

func (g *gate) settling() time.Duration {
	if g.closed {
		return proof
	}
	return aging
}

func (g *gate) close(running int, now time.Duration) {
	g.closed, g.limit, g.first, g.gentle, g.long, g.short = true, running, running, false, 0, 0
	g.others.begin(now)
}

func (g *gate) open(now time.Duration) {
	g.closed, g.long = false, 0
	g.others.begin(now)
}

func (g *gate) shrink(running, excess int) {
	g.limit = max(min(g.limit, running)-(excess+1)/2, g.floor())
	g.gentle, g.long, g.step = true, 0, g.procs
}

func (g *gate) grow(now time.Duration) {
	g.others.begin(now) // the queue may be long for what is let in now
	switch {
	case !g.gentle:
		g.limit += max(g.first/8, g.floor())
	case now-g.grown >= pause:
		g.limit += max(g.limit/16, g.step)
		g.step *= 2
		g.grown = now
	}
}

// minimum follows the least value of a time.
type minimum struct {
	known int // of the last whole time, or less
	least int // of this one
	looks int
	began time.Duration
}

// enoughLooks is how many looks a time takes to say something.
const enoughLooks = 16

// begin forgets what was seen, and keeps what is known.
func (m *minimum) begin(now time.Duration) { *m = minimum{known: m.known, began: now} }

// take takes in a value. What is known goes down at once, and up when a whole time has shown it.
func (m *minimum) take(value int, now, whole time.Duration) {
	m.known = min(m.known, value)
	if m.looks == 0 || value < m.least {
		m.least = value
	}
	m.looks++
	if now-m.began < whole {
		return
	}
	if m.looks >= enoughLooks {
		m.known = m.least
	}
	m.begin(now)
}
