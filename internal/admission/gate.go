package admission

import (
	"math"
	"time"
)

const (
	// The gate closes on proof that calls are more than the processors can do: at every look for some windows the
	// scheduler's queue is long, and it grows. The first window does not count: a burst begins small as well. A queue
	// that is long and does not grow is a burst, or work of something else than calls.
	window = 20 * time.Millisecond

	// standing is how long the queue must stay long for the limit to shrink. The gate opens when the queue has been
	// short and no call has waited for calm, or none has waited for quiet.
	standing = 20 * time.Millisecond
	calm     = 100 * time.Millisecond
	quiet    = 500 * time.Millisecond

	// Where others keep the processors busy looks are far apart, as who looks waits for a processor too.
	foreignFor   = 300 * time.Millisecond
	foreignApart = 50 * time.Millisecond // counts at most, as apart does

	// Now and then many more calls are let in, for tried at most. Calls that are too many soon fill any limit, or the
	// scheduler's queue. If they do not, what is short is not processors for calls, or no longer: the gate opens. It
	// is tried first after firstTry, then each time after four times as long, up to lastTry. Before it has failed
	// once, no call is refused.
	//
	// How many more is more times the floor. Where more calls come than go it is no more than what is done in few, as
	// others wait for it. Where those that wait would be let in soon anyway, it is beside all calls that there have
	// been: many callers who wait for each answer are no overload, and fill the limit only if it is smaller than they
	// are many.
	tried    = 300 * time.Millisecond
	more     = 8
	few      = 25 * time.Millisecond
	soon     = 50 * time.Millisecond
	grown    = 1.15 // times is the queue longer in the end that grows
	firstTry = 40 * time.Millisecond
	lastTry  = 16 * time.Second

	// apart is the longest time between two looks that counts: in a longer one the process stood still, or no call
	// came.
	apart = 10 * time.Millisecond

	// While the queue is short and calls are held back the limit grows: by an eighth of what it began with at each
	// look. From the first time on that this was too much it grows at each pause, by one call for each processor at
	// first and twice as much each time.
	pause = 5 * time.Millisecond
)

// gate lets calls in as far as the scheduler's queue is short. It knows nothing of calls but how many run and wait.
type gate struct {
	closed bool
	since  time.Duration // when it was closed last
	procs  int
	at     time.Duration // of the last look
	most   int           // calls there were since the last try, with those that have not come as far yet
	proof  proof
	limit  limit
	try    try

	// So many goroutines waited for a processor at most when the gate was opened because it was of no use. It closes
	// for more, until the queue has been short.
	harmless int

	// For how long each look has shown it, without the time in which the process stood still.
	long  time.Duration // a long queue
	short time.Duration // a short one, and no call that waits
	idle  time.Duration // no call that waits

	foreign foreign
}

// calls are how many run and wait.
type calls struct {
	running, waiting int           // those that run have not run for long
	connecting       int           // connections that have come lately, for calls to come
	each             time.Duration // the time from one that is let in to the next; zero if it is not known
	overload         bool          // more come than go
	rate             float64       // of calls that come, in a second; zero if it is not known
}

// floor is how many calls run in any case.
func (g *gate) floor() int { return 2 * g.procs }

// free reports whether one more call may begin where so many run, of a share of which own run. A share with few that
// run has some places more: long calls, such as streams, do not keep short ones waiting for their end.
func (g *gate) free(running, own int) bool {
	if !g.closed {
		return true
	}
	most := max(g.limit.now, g.floor())
	if own < g.floor() {
		most += 2 * g.floor()
	}
	return running < most
}

// saw takes in a look.
func (g *gate) saw(l Look, c calls, now time.Duration) {
	since := now - g.at
	gap := min(since, apart)
	g.at, g.procs = now, max(l.Procs, 1)
	long := l.Runnable > g.floor()
	g.long = lasting(g.long, gap, long)
	g.short = lasting(g.short, gap, !long && c.waiting == 0)
	g.idle = lasting(g.idle, gap, c.waiting == 0)
	g.most = max(g.most, c.running+c.waiting+l.Runnable)
	notOurs := g.closed && g.foreign.stays(l.Runnable, g.ours(c), min(since, foreignApart))
	full := c.waiting > 0 && !g.free(c.running, math.MaxInt)
	switch {
	case !g.closed:
		if g.short >= calm {
			g.harmless = 0
		}
		if g.proof.given(l.Runnable, g.procs, long, gap) && g.proof.least > g.harmless+g.floor() {
			g.close(c.running, now)
		}
	case g.short >= calm || g.idle >= quiet:
		g.closed = false
	case notOurs:
		g.open(g.foreign.longest + c.waiting)
	case g.try.under:
		if g.try.goesOn(full, l.Runnable, g.floor(), gap) {
			return
		}
		g.limit.now = g.limit.before
		if !g.try.lost {
			g.open(g.try.longest + c.waiting)
		}
	case g.try.begins(gap):
		g.limit.before, g.limit.now = g.limit.now, g.many(c)
	case c.waiting == 0:
	case g.long >= standing:
		g.limit.shrink(c.running, l.Runnable, g.floor())
		g.long = 0
	case l.Runnable > g.procs:
		g.limit.hold(g.procs)
	case full:
		g.limit.grow(g.floor(), now)
	}
}

func (g *gate) close(running int, now time.Duration) {
	g.closed, g.since, g.long, g.short, g.idle = true, now, 0, 0, 0
	g.limit = limit{now: running, first: running, step: g.procs}
	g.try = try{next: firstTry, every: firstTry}
	g.proof, g.most, g.harmless, g.foreign = proof{}, 0, 0, foreign{}
}

// open is for where holding calls back is of no use, although so many goroutines wait, or will when those calls run that
// have been held back.
func (g *gate) open(longest int) { g.closed, g.proof, g.harmless = false, proof{}, longest }

// foreign is a queue in the scheduler that is not of the few calls which are let in.
type foreign struct {
	lasts          time.Duration
	first, longest int // goroutines in it
}

// stays takes in a look, and reports whether the queue has been longer than ours can be for foreignFor. One that drains is
// of calls that were let in before.
func (f *foreign) stays(runnable, ours int, gap time.Duration) bool {
	if runnable <= ours {
		*f = foreign{}
		return false
	}
	if f.lasts == 0 {
		f.first = runnable
	}
	f.lasts += gap
	f.longest = max(f.longest, runnable)
	if f.lasts >= foreignFor && runnable < f.first*3/4 {
		*f = foreign{}
	}
	return f.lasts >= foreignFor
}

// ours is how many goroutines that wait for a processor may be those of calls: of those that run, and of those that
// have not come as far yet, which wait for a slice of each that runs, or for their connection's handshake.
func (g *gate) ours(c calls) int {
	most := c.running + g.floor()
	if c.rate == 0 || most > 4*g.floor() {
		return math.MaxInt
	}
	return most + c.connecting + int(c.rate*slice.Seconds()*float64(most)/float64(g.procs))
}

// slice is after how long Go takes the processor from a goroutine that others wait for.
const slice = 10 * time.Millisecond

// many is how many calls run in a try.
func (g *gate) many(c calls) int {
	most := g.most
	g.most = 0
	switch {
	case c.overload:
		return c.running + max(g.floor(), min(more*g.floor(), int(few/max(c.each, 1))))
	case c.each > 0 && time.Duration(c.waiting)*c.each <= soon:
		return max(c.running, most) + more*g.floor()
	default:
		return c.running + more*g.floor()
	}
}

// lasting adds up for how long something has been so.
func lasting(before, gap time.Duration, so bool) time.Duration {
	if !so {
		return 0
	}
	return before + gap
}

// limit is how many calls run while the gate is closed.
type limit struct {
	now    int
	before int // a try
	first  int
	gentle bool          // it has grown too much once
	grown  time.Duration // when it last grew
	step   int           // by which it grows next, at least
}

func (l *limit) hold(step int) { l.step = step }

func (l *limit) shrink(running, runnable, floor int) {
	l.now = max(min(l.now, running)-(runnable+1)/2, floor)
	l.gentle, l.step = true, floor/2
}

func (l *limit) grow(floor int, now time.Duration) {
	switch {
	case !l.gentle:
		l.now += max(l.first/8, floor)
	case now-l.grown >= pause:
		l.now += max(l.now/16, l.step)
		l.step *= 2
		l.grown = now
	}
}

// proof decides whether calls are more than the processors can do.
type proof struct {
	lasts   time.Duration // the window, without standing still
	windows int           // that are over
	least   int           // of the runnable goroutines in this window
	lowest  int           // of those in the windows before, but the first
}

// given takes in how many goroutines a look has shown, and reports whether the gate must close.
func (p *proof) given(runnable, procs int, long bool, gap time.Duration) bool {
	if !long {
		*p = proof{}
		return false
	}
	if p.lasts == 0 || runnable < p.least {
		p.least = runnable
	}
	if p.lasts += gap; p.lasts < window {
		return false
	}
	p.lasts = 0
	switch p.windows++; {
	case p.windows == 1:
	case p.windows == 2:
		p.lowest = p.least
	case p.least >= p.lowest+procs:
		return true
	default:
		p.lowest = min(p.lowest, p.least)
	}
	return false
}

// try is whether many more calls are one too many.
type try struct {
	under  bool
	left   time.Duration // of one under way
	next   time.Duration // until the next one
	every  time.Duration // until the one after it
	lost   bool          // the last one has failed
	failed bool          // one has

	middle, end mean // of the runnable goroutines, in the second and in the last third
	longest     int  // of them
}

// begins takes in that time has passed, and reports whether a try begins.
func (t *try) begins(gap time.Duration) bool {
	if t.next -= gap; t.next > 0 {
		return false
	}
	t.every = min(4*t.every, lastTry)
	t.under, t.left, t.next, t.middle, t.end, t.longest = true, tried, t.every, mean{}, mean{}, 0
	return true
}

// goesOn takes in a look, and whether calls have filled the limit of the try, and reports whether it goes on.
func (t *try) goesOn(full bool, runnable, floor int, gap time.Duration) bool {
	t.longest = max(t.longest, runnable)
	switch t.left -= gap; {
	case t.left < tried/3:
		t.end.add(runnable)
	case t.left < 2*tried/3:
		t.middle.add(runnable)
	}
	t.under = !full && t.left > 0
	if !t.under {
		t.lost = full || t.end.of() > grown*t.middle.of()+float64(floor)/2
		t.failed = t.failed || t.lost
	}
	return t.under
}

// mean is that of some numbers.
type mean struct{ sum, n int }

func (m *mean) add(value int) { m.sum, m.n = m.sum+value, m.n+1 }

func (m *mean) of() float64 { return float64(m.sum) / float64(max(m.n, 1)) }
