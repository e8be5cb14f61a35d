package admission

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is the least time between looks at the scheduler, while calls arrive and end. Looks
// are needed even if few calls run: handlers that compute run one after the other, and the queue
// forms before them.
const lookEvery = time.Millisecond

// Limiter holds calls back while the scheduler's queue is long. Its methods may be called
// concurrently. Only Enter blocks. A nil Limiter lets every call run.
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

// NewReporting returns a limiter that holds no call back. Enter reports which calls it would have
// refused.
func NewReporting() *Limiter { return NewWith(scheduler(), true) }

// NewWith returns a limiter that reads the scheduler's queue with look. It does not call look
// concurrently.
func NewWith(look func() Look, reports bool) *Limiter {
	l := &Limiter{born: time.Now(), look: look, reports: reports}
	l.gate.procs = runtime.GOMAXPROCS(0)
	return l
}

// Reports reports whether the limiter holds no call back.
func (l *Limiter) Reports() bool { return l != nil && l.reports }

// Verdict is the decision about a call.
type Verdict uint8

// The verdicts.
const (
	Runs     Verdict = iota
	Refused          // its turn would not come in time, or its caller has gone
	Reported         // it runs, and a limiter that does not only report would have refused it
)

// Open lets every call run from now on, including waiting ones: a service that stops serves the
// calls that still arrive.
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

// Connected records a new connection. Its handshake is work for calls that have not arrived yet.
func (l *Limiter) Connected() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connections.begin(l.now())
}

// Enter returns when t may run or is refused. A call that runs must call [Limiter.Leave]. now is
// the approximate present.
//
// The wait ends with ctx. ctx.Done is called only if the call has to wait.
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

// enter puts t into the line, and waits until it may run or is refused.
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
	// Goroutines that read from connections are in the global queue of Go's scheduler, which is
	// checked when the processor's own queue is empty, or rarely. A handler that computes lets
	// them run first. Otherwise they, and the requests that they read, such as probes, would wait
	// for dozens of handlers.
	runtime.Gosched()
	return Runs
}

// join puts t into the line and admits the calls whose turn it is. It returns false if t is
// refused. If t has to wait, it gets a waiter.
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

// report counts t as running, and returns whether it would have been refused.
func (l *Limiter) report(t *Ticket) Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.state = running
	if l.line.excess.beyond(t.Worth, l.now()) && l.gate.try.failed {
		return Reported
	}
	return Runs
}

// Leave records the end of a call. For a call that does not run it does nothing.
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

// dispatch admits calls while there is room. The caller holds the lock.
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

// tick looks again while calls wait or are held back, because there is no event when processors
// become free.
func (l *Limiter) tick() {
	l.lookIfDue(l.now())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticks = false
	l.dispatch(l.now())
}

// lookIfDue looks at the scheduler if the last look is long enough ago for this number of running
// calls. One goroutine looks at a time, and the others continue.
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

// calls returns the numbers of running and arriving calls. The caller holds the lock.
func (l *Limiter) calls(waiting int, now time.Duration) calls {
	j := &l.line.judge
	return calls{
		running: l.young(now), waiting: waiting, connecting: l.connections.n(now),
		each: j.each(), rate: j.rate, overload: j.overload || j.growing > 0,
	}
}

// young is the number of running calls that began recently. The caller holds the lock.
func (l *Limiter) young(now time.Duration) int {
	n := l.line.recent.n(now)
	if !l.gate.closed || now-l.gate.since < old {
		n += int(l.running.Load()) - l.line.held // began before it was noted when
	}
	return n
}

// State is the state of a limiter, for metrics and pages.
type State struct {
	Running, Queued int
	Waited          time.Duration // of all calls together
	Holding         bool          // calls are held back
	Overloaded      bool          // and refused if their turn does not come soon
}

// State returns the present state.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{
		Running: int(l.running.Load()), Queued: l.line.queue.n, Waited: l.line.waited,
		Holding: l.closed.Load(), Overloaded: l.closed.Load() && l.line.judge.refuses(),
	}
}
