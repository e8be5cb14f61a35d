package admission

import "time"

const (
	// The gate closes on proof that calls are more than the processors can do: at every look for some windows the
	// scheduler's queue is long, and it grows. The first window does not count: a burst begins small as well. A queue that
	// is long and does not grow is a burst, or work of something else than calls.
	window = 20 * time.Millisecond

	// standing is how long the queue must stay long for the limit to shrink. The gate opens when the queue has been short
	// and no call has waited for calm, or none has waited for quiet.
	standing = 20 * time.Millisecond
	calm     = 100 * time.Millisecond
	quiet    = 500 * time.Millisecond

	// When half as many calls run as when the gate closed, about as many must end as before. While it is less than doubtful
	// no call is refused. If it is so much less that it cannot be chance, what is short is not processors for calls, and the
	// gate opens for a while, each time for twice as long.
	doubtful   = .5
	soon       = 100 * time.Millisecond
	trialLasts = 4 * time.Second
	openFor    = time.Second
	openAtMost = time.Minute

	// history is the time before the gate closes in which the calls that end are counted, twice that at most.
	history = 500 * time.Millisecond

	// apart is the longest time between two looks that counts: in a longer one the process stood still, or no call came.
	apart = 10 * time.Millisecond

	// While the queue is short and calls are held back the limit grows: by an eighth of what it began with at each look. From
	// the first time on that this was too much it grows at each pause, by one call for each processor at first and twice as
	// much each time.
	pause = 5 * time.Millisecond
)

// gate lets calls in as far as the scheduler's queue is short. It knows nothing of calls but how many end, run and wait.
type gate struct {
	closed bool
	procs  int
	at     time.Duration // of the last look
	proof  proof
	limit  limit

	// For how long each look has shown it, without the time in which the process stood still.
	long  time.Duration // a long queue
	short time.Duration // a short one, and no call that waits
	idle  time.Duration // no call that waits
}

// calls are how many have ended so far, run and wait.
type calls struct {
	ended, running int64
	waiting        int
}

// floor is how many calls run in any case.
func (g *gate) floor() int { return 2 * g.procs }

// free reports whether one more call may begin where so many run.
func (g *gate) free(running int64) bool {
	return !g.closed || running < int64(max(g.limit.now, g.floor()))
}

// saw takes in a look.
func (g *gate) saw(l Look, c calls, now time.Duration) {
	gap := min(now-g.at, apart)
	if l.Procs != g.procs {
		g.proof.reset(c, now)
	}
	g.at, g.procs, l.Procs = now, max(l.Procs, 1), max(l.Procs, 1)
	long := l.Runnable > g.floor()
	g.long = lasting(g.long, gap, long)
	g.short = lasting(g.short, gap, !long && c.waiting == 0)
	g.idle = lasting(g.idle, gap, c.waiting == 0)
	if !g.closed {
		if g.proof.given(l, c, long, gap, now) {
			g.closed, g.long, g.short, g.idle = true, 0, 0, 0
			g.limit.begin(int(c.running), g.procs)
		}
		return
	}
	switch {
	case g.proof.refuted(c, g.floor(), gap, now):
		g.closed = false
	case g.short >= calm || g.idle >= quiet:
		g.closed = false
		g.proof.held(c, now)
	case c.waiting == 0:
	case g.long >= standing:
		g.limit.shrink(int(c.running), l.Runnable, g.floor())
		g.long = 0
	case l.Runnable > g.procs:
		g.limit.hold(g.procs)
	case !g.free(c.running):
		g.limit.grow(g.floor(), now)
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
	first  int
	gentle bool          // it has grown too much once
	grown  time.Duration // when it last grew
	step   int           // by which it grows next, at least
}

func (l *limit) begin(running, step int) { *l = limit{now: running, first: running, step: step} }

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

// proof decides whether calls are more than the processors can do, before the gate closes and again behind it.
type proof struct {
	lasts   time.Duration // the window, without standing still
	windows int           // that are over
	least   int           // of the runnable goroutines in this window
	lowest  int           // of those in the windows before, but the first

	before, last mark    // of the calls that have ended
	grew         mark    // when the queue became long
	rate         float64 // of calls that ended before the gate closed, a second

	running int64 // calls, when the gate closed
	trial   bool  // half of them have ended
	tried   int64 // calls that had ended when the trial began
	doubted bool

	not  time.Duration // no proof until then
	next time.Duration // how long that is the next time
}

// mark is how many calls had ended at a time.
type mark struct {
	at    time.Duration
	ended int64
}

// rate is that of calls that have ended since, a second.
func (c calls) rate(since mark, now time.Duration) float64 {
	return float64(c.ended-since.ended) / (now - since.at).Seconds()
}

// given takes in a look before the gate closes, and reports whether it must.
func (p *proof) given(l Look, c calls, long bool, gap, now time.Duration) bool {
	if since := now - p.last.at; since >= history {
		p.before, p.last = p.last, mark{now, c.ended}
		if since >= 2*history {
			p.before = p.last // nobody has looked for long
		}
	}
	if !long || now < p.not {
		p.lasts, p.windows, p.grew = 0, 0, mark{now, c.ended}
		return false
	}
	if p.lasts == 0 || l.Runnable < p.least {
		p.least = l.Runnable
	}
	if p.lasts += gap; p.lasts < window {
		return false
	}
	p.lasts = 0
	switch p.windows++; {
	case p.windows == 1:
	case p.windows == 2:
		p.lowest = p.least
	case p.least >= p.lowest+l.Procs:
		p.begin(c, now)
		return true
	default:
		p.lowest = min(p.lowest, p.least)
	}
	return false
}

// begin begins to look for what the closed gate does.
func (p *proof) begin(c calls, now time.Duration) {
	p.rate = min(c.rate(p.before, now), c.rate(p.grew, now)) // calls may have become dear at that time
	p.running, p.trial, p.doubted, p.lasts = c.running, false, p.next > 0, 0
}

// refuted takes in a look behind a closed gate, and reports whether it was closed for nothing.
func (p *proof) refuted(c calls, floor int, gap, now time.Duration) bool {
	if !p.trial {
		p.trial, p.tried = c.running <= max(p.running/2, int64(floor)), c.ended
		return false
	}
	if p.lasts += gap; p.lasts < soon {
		return false
	}
	if p.lasts > trialLasts {
		p.doubted = false
		return false
	}
	expected := p.lasts.Seconds() * p.rate
	share := float64(c.ended-p.tried) / expected
	p.doubted = c.waiting > 0 && (share < doubtful || p.next > 0 && p.lasts < 2*time.Second)
	if !p.doubted || !falls(share, expected, p.lasts) {
		return false
	}
	p.not, p.next = now+max(p.next, openFor), min(2*max(p.next, openFor), openAtMost)
	p.reset(c, now)
	return true
}

// falls reports whether a share of the calls that were to be expected is too little to be chance.
func falls(share, expected float64, lasts time.Duration) bool {
	return share < .4 && expected >= 40 && lasts >= time.Second || share < .25 && expected >= 12 && lasts >= time.Second/2
}

// held is told that the gate opens as it is not needed any more.
func (p *proof) held(c calls, now time.Duration) {
	p.next = 0
	p.reset(c, now)
}

func (p *proof) reset(c calls, now time.Duration) {
	p.lasts, p.windows, p.last = 0, 0, mark{now, c.ended}
	p.before, p.grew = p.last, p.last
}
