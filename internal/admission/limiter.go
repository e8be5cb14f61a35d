package admission

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the scheduler is looked at, at most, while calls come and go. Not even where few calls run
// is it left out: where handlers compute they run one after the other, and the queue stands before them.
const lookEvery = time.Millisecond

// Limiter holds calls back while the scheduler's queue is long. All methods may be called concurrently; none but Enter
// blocks. A nil Limiter lets every call run.
type Limiter struct {
	born    time.Time
	reports bool

	looking sync.Mutex // held by who looks
	look    func() Look
	looked  atomic.Int64 // when, since born
	running atomic.Int64
	closed  atomic.Bool // the gate is; read without the lock by calls that come and go

	mu          sync.Mutex
	open        bool // for good
	gate        gate
	line        line
	connections recent // that have come
	ticks       bool   // the scheduler will be looked at again
}

// New returns a limiter for the processors that Go uses.
func New() *Limiter { return NewWith(scheduler(), false) }

// NewReporting returns a limiter that holds no call back. Enter says which it would have refused.
func NewReporting() *Limiter { return NewWith(scheduler(), true) }

// NewWith returns a limiter that learns from look what waits for processors. Look is not called concurrently.
func NewWith(look func() Look, reports bool) *Limiter {
	l := &Limiter{born: time.Now(), look: look, reports: reports}
	l.gate.procs = runtime.GOMAXPROCS(0)
	return l
}

// Reports says that the limiter holds no call back.
func (l *Limiter) Reports() bool { return l != nil && l.reports }

// Verdict is what becomes of a call that asks for a place.
type Verdict uint8

// The verdicts.
const (
	Runs     Verdict = iota
	Refused          // its turn would not come in time, or its caller has gone
	Reported         // it runs, and a limiter that does not only report would have refused it
)

// Open lets every call run from now on, and those that wait at once: a service that stops serves what still comes.
func (l *Limiter) Open() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
	l.closed.Store(false)
	l.dispatch(l.now())
}

// Connected is told of a connection that has come. Its handshake is work for calls that have not come as far yet. A nil
// limiter takes no notice.
func (l *Limiter) Connected() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connections.begin(l.now())
}

// Enter returns when t may run, or may not. A call that runs must come to [Limiter.Leave]. now is about the present.
//
// The end of ctx ends the wait. ctx is asked for Done only where the call has to wait.
func (l *Limiter) Enter(ctx context.Context, t *Ticket, now time.Time) Verdict {
	if l == nil {
		return Runs
	}
	l.running.Add(1)
	l.lookIfDue(now.Sub(l.born))
	switch {
	case !l.closed.Load():
		t.state = running
		return Runs
	case l.reports:
		return l.report(t)
	}
	return l.enter(ctx, t)
}

// enter lets t into the line, and waits until it may run or may not.
func (l *Limiter) enter(ctx context.Context, t *Ticket) Verdict {
	if !l.join(ctx, t) {
		return Refused
	}
	if t.waiter != nil {
		l.line.wait(ctx, t, &l.mu, l.now)
	}
	if t.state != running {
		return Refused
	}
	// Goroutines that read from connections stand in the global queue of Go's scheduler, which is looked at when the
	// processor's own is empty, or seldom. A handler that computes goes behind them, or they would wait for dozens of
	// handlers, and what they read, probes among it, with them.
	runtime.Gosched()
	return Runs
}

// join puts t into the line and lets those in whose turn it is: false where it is refused. If it has to wait it has a
// waiter.
func (l *Limiter) join(ctx context.Context, t *Ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.open {
		l.line.admit(t, now)
		return true
	}
	l.running.Add(-1)
	if !l.line.join(ctx, t, now) {
		return false
	}
	l.dispatch(now)
	l.line.seat(t)
	return true
}

// now is the time since the limiter was made.
func (l *Limiter) now() time.Duration { return time.Since(l.born) }

// report counts t in as one that runs in any case, and says whether it would have been refused.
func (l *Limiter) report(t *Ticket) Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.state = running
	if l.line.excess.beyond(t.Worth, l.now()) && l.gate.try.failed {
		return Reported
	}
	return Runs
}

// Leave is told that a call has ended. For a call that does not run it does nothing.
func (l *Limiter) Leave(t *Ticket, now time.Time) {
	if l == nil || t.state != running {
		return
	}
	t.state = absent
	l.running.Add(-1)
	l.lookIfDue(now.Sub(l.born))
	if !l.closed.Load() && !t.counted {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reports {
		l.line.excess.done(l.now())
		return
	}
	since := l.now()
	l.line.ended(t, since)
	l.dispatch(since)
}

// dispatch lets calls in as far as there is room. It must hold the lock.
func (l *Limiter) dispatch(now time.Duration) {
	l.line.judge.event(now, l.line.queue.n)
	for t := l.line.first(now); t != nil && (l.open || l.gate.free(l.young(now), l.line.running[t.Share])); t = l.line.first(now) {
		l.running.Add(1)
		l.line.let(t, now)
	}
	switch {
	case l.ticks:
	case l.line.queue.n > 0:
		l.ticks = true
		time.AfterFunc(lookEvery, l.tick)
	case l.gate.closed:
		l.ticks = true
		time.AfterFunc(apart, l.tick)
	}
}

// tick looks again while calls wait or are held back: processors do not say when they become free.
func (l *Limiter) tick() {
	l.lookIfDue(l.now())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticks = false
	l.dispatch(l.now())
}

// lookIfDue looks at the scheduler if the last look is long enough ago for so many calls that run. One goroutine
// looks at a time, and the others go on.
func (l *Limiter) lookIfDue(now time.Duration) {
	if now-time.Duration(l.looked.Load()) < lookEvery || !l.looking.TryLock() {
		return
	}
	defer l.looking.Unlock()
	seen := l.look()
	now = l.now()
	l.looked.Store(int64(now))
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.line.queue.n
	if l.reports && seen.Runnable > l.gate.floor() {
		waiting++ // nothing is held back: the line is the scheduler's
	}
	l.gate.saw(seen, l.calls(waiting, now), now)
	l.line.judge.doubt = !l.gate.try.failed
	l.closed.Store(l.gate.closed && !l.open)
}

// calls are how many run, and what is known of those that come. It must hold the lock.
func (l *Limiter) calls(waiting int, now time.Duration) calls {
	j := &l.line.judge
	return calls{
		running: l.young(now), waiting: waiting, connecting: l.connections.n(now),
		each: j.each(), rate: j.rate, overload: j.overload || j.growing > 0,
	}
}

// young is how many calls run that have not run for long. It must hold the lock.
func (l *Limiter) young(now time.Duration) int {
	n := l.line.recent.n(now)
	if !l.gate.closed || now-l.gate.since < old {
		n += int(l.running.Load()) - l.line.held // began before it was noted when
	}
	return n
}

// State is what a limiter looks like from outside.
type State struct {
	Running, Queued int
	Waited          time.Duration // of all calls together
	Holding         bool          // calls are held back
	Overloaded      bool          // and refused if their turn does not come soon
}

// State returns the state at this moment.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{
		Running: int(l.running.Load()), Queued: l.line.queue.n, Waited: l.line.waited,
		Holding: l.closed.Load(), Overloaded: l.closed.Load() && l.line.judge.refuses(),
	}
}
