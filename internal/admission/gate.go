package admission

import (
	"math"
	"time"
)

const (
	// The gate closes when the load of calls provably exceeds the processors: in each of several
	// windows the scheduler's queue is long at every look, and it grows. The first window does
	// not count, because a burst also begins small. A long queue that does not grow is a burst,
	// or work other than calls.
	window = 20 * time.Millisecond

	// standing is the time for which the queue must stay long before the limit shrinks. The gate
	// opens when the queue is short and no call has waited for calm, or no call has waited for
	// quiet.
	standing = 20 * time.Millisecond
	calm     = 100 * time.Millisecond
	quiet    = 500 * time.Millisecond

	// If other processes keep the processors busy, looks are far apart, because the looking
	// goroutine waits for a processor too.
	foreignFor   = 300 * time.Millisecond
	foreignApart = 50 * time.Millisecond // counts at most, as apart does

	// From time to time many more calls are admitted, for at most tried. In an overload they soon
	// fill any limit, or the scheduler's queue. Otherwise processors are not what calls lack, and
	// the gate opens. The first try begins after firstTry, each further one after four times as
	// long, up to lastTry. No call is refused before a try has failed.
	//
	// The number of additional calls is more times the floor. If calls arrive faster than they
	// end, it is at most the number that ends within few, because other calls wait for the try.
	// If the waiting calls would soon be admitted anyway, the try admits them in addition to all
	// earlier calls: many callers who wait for each answer are no overload, and fill the limit
	// only if it is smaller than their number.
	tried    = 300 * time.Millisecond
	more     = 8
	few      = 25 * time.Millisecond
	soon     = 50 * time.Millisecond
	grown    = 1.15 // times is the queue longer in the end that grows
	firstTry = 40 * time.Millisecond
	lastTry  = 16 * time.Second

	// apart is the longest counted time between two looks. In a longer one the process did not
	// run, or no call arrived.
	apart = 10 * time.Millisecond

	// While the queue is short and calls are held back, the limit grows at each look, by an
	// eighth of its first value. After this was too much for the first time, it grows once per
	// pause: by one call for each processor, then by twice as much each time.
	pause = 5 * time.Millisecond
)

// gate admits calls while the scheduler's queue is short. It knows only the numbers of running
// and waiting calls.
type gate struct {
	closed bool
	since  time.Duration // when it was closed last
	procs  int
	at     time.Duration // of the last look
	most   int           // calls there were since the last try, with those that have not come as far yet
	proof  proof
	limit  limit
	try    try

	// The most goroutines that waited for a processor when the gate was opened as useless. It
	// closes only for more of them, until the queue has been short.
	harmless int

	// The times for which each look has found this, without times in which the process did not
	// run.
	long  time.Duration // a long queue
	short time.Duration // a short one, and no call that waits
	idle  time.Duration // no call that waits

	foreign foreign
}

// calls are the numbers of running and waiting calls.
type calls struct {
	running, waiting int           // those that run have not run for long
	connecting       int           // connections that have come lately, for calls to come
	each             time.Duration // the time from one that is let in to the next; zero if it is not known
	overload         bool          // more come than go
	rate             float64       // of calls that come, in a second; zero if it is not known
}

// floor is the number of calls that may always run.
func (g *gate) floor() int { return 2 * g.procs }

// free reports whether one more call may begin while running calls run, own of them in its share.
// A share with few running calls has some additional places, so that short calls do not wait for
// the end of long ones such as streams.
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

// saw processes a look.
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

// open opens the gate where it is of no use, although this many goroutines wait, or will wait
// when the held calls run.
func (g *gate) open(longest int) { g.closed, g.proof, g.harmless = false, proof{}, longest }

// foreign detects a queue in the scheduler that the few admitted calls cannot have caused.
type foreign struct {
	lasts          time.Duration
	first, longest int // goroutines in it
}

// stays processes a look, and reports whether the queue has been longer than calls can explain
// for foreignFor. A queue that shrinks belongs to calls that were admitted before.
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

// ours is the largest number of waiting goroutines that calls can explain: those of running
// calls, and those of calls before admission, which wait for a slice of each running one or for
// the handshake of their connection.
func (g *gate) ours(c calls) int {
	most := c.running + g.floor()
	if c.rate == 0 || most > 4*g.floor() {
		return math.MaxInt
	}
	return most + c.connecting + int(c.rate*slice.Seconds()*float64(most)/float64(g.procs))
}

// slice is the time after which Go preempts a goroutine that others wait for.
const slice = 10 * time.Millisecond

// many is the number of calls that run in a try.
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

// lasting adds up the time for which so was true.
func lasting(before, gap time.Duration, so bool) time.Duration {
	if !so {
		return 0
	}
	return before + gap
}

// limit is the number of calls that run while the gate is closed.
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

// proof decides whether calls exceed the capacity of the processors.
type proof struct {
	lasts   time.Duration // the window, without standing still
	windows int           // that are over
	least   int           // of the runnable goroutines in this window
	lowest  int           // of those in the windows before, but the first
}

// given processes the number of goroutines in a look, and reports whether the gate must close.
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

// try finds out whether many more calls are too many.
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

// begins adds the passed time, and reports whether a try begins.
func (t *try) begins(gap time.Duration) bool {
	if t.next -= gap; t.next > 0 {
		return false
	}
	t.every = min(4*t.every, lastTry)
	t.under, t.left, t.next, t.middle, t.end, t.longest = true, tried, t.every, mean{}, mean{}, 0
	return true
}

// goesOn processes a look, and reports whether the try goes on. Full reports that calls have
// filled the limit of the try.
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

// mean is the mean of some numbers.
type mean struct{ sum, n int }

func (m *mean) add(value int) { m.sum, m.n = m.sum+value, m.n+1 }

func (m *mean) of() float64 { return float64(m.sum) / float64(max(m.n, 1)) }
