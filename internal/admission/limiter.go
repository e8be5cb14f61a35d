package admission

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// capacity is how many calls wait at most: about ten kilobytes each. The less critical may fill a part of it, and one
	// caller half of that if others wait too.
	capacity = 1024

	// standing is how long a queue stands before it is no burst but an overload, and how long there must be none before the
	// overload is over. Otherwise each second of it decides whether the next is one too, by whether a third of the calls had
	// to be refused: that a queue is short says nothing where calls are refused to keep it so. A queue past which fewer than
	// moving calls have ended does not stand: the whole process did, for want of a processor or in a debugger.
	standing     = 100 * time.Millisecond
	moving       = 10
	reconsidered = time.Second

	// shortWait is what a call may expect to wait in an overload, and longWait what it may where there is none. A call
	// that waits longer than that, as more critical ones came, gives up after it too.
	shortWait = 10 * time.Millisecond
	longWait  = time.Second

	// readWait is how long a call may keep a permit that others want while its message does not come.
	readWait = 100 * time.Millisecond

	// busyFor is the work that may stand before the processors although all of it may be theirs: with less of it, nobody
	// waits long enough to look.
	busyFor = 2 * time.Millisecond

	// lookAgain is the time after which the processors are looked at again while calls wait for nothing else.
	lookAgain = time.Millisecond
)

// Limiter is the one place where the calls of a service ask to run. All methods may be called concurrently; none but Wait
// blocks.
type Limiter struct {
	procs    int
	runnable func() int // goroutines that wait for a processor
	born     time.Time

	mu      sync.Mutex
	open    bool
	queue   queue
	begun   list // tickets that have their permit and whose handler has not begun, or not got its message
	callers [callers]int
	load    load
	limit   limit

	turned     time.Time // when the queue last became one, or none
	passed     int       // calls that ended since then
	overloaded time.Time // when the overload began, or was last reconsidered; zero if there is none
	arrived    int       // since then
	turnedAway int       // of those
	looking    bool      // a timer will look at the processors again
	waited     time.Duration
}

// New returns a limiter for as many processors as Go uses.
func New() *Limiter { return newLimiter(runtime.GOMAXPROCS(0), runnableGoroutines()) }

func newLimiter(procs int, runnable func() int) *Limiter {
	now := time.Now()
	return &Limiter{procs: procs, runnable: runnable, born: now, load: load{since: now, at: now}, limit: newLimit(procs)}
}

// Open lets every call run from now on, and those that wait at once: a service that stops serves what still comes.
func (l *Limiter) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
	l.dispatch(time.Now())
}

// Arrive gives t its place: a permit, one in the queue, or none. It is for the goroutine that reads from the connection,
// and so neither waits nor runs anything. What has arrived must come to [Limiter.End], unless Parent ends before the
// call's handler begins.
func (l *Limiter) Arrive(t *Ticket, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived++
	t.arrived = true
	switch {
	case l.queue.n == 0 && l.free(now):
		l.grant(t, now)
	case l.mayWait(t, now):
		l.enqueue(t, now)
	default:
		t.state = refused
		l.turnedAway++
	}
}

// Wait returns when t may run, true, or when it may not, false: it was refused, waited too long, or ctx has ended, which is
// asked for Done only where the call has to wait. A call that may run must give its permit back with [Limiter.End].
func (l *Limiter) Wait(ctx context.Context, t *Ticket) bool {
	run, crowded := l.wait(ctx, t)
	if run && crowded {
		// Goroutines that read from connections stand in the global queue of Go's scheduler, which is looked at when the
		// processor's own is empty, or seldom. A handler that computes goes behind them, or in an overload they would wait for
		// dozens of handlers, and what they read, probes among it, with them.
		runtime.Gosched()
	}
	return run
}

func (l *Limiter) wait(ctx context.Context, t *Ticket) (run, crowded bool) {
	l.mu.Lock()
	if t.state != queued {
		defer l.mu.Unlock()
		return l.begin(t), l.crowded()
	}
	t.ready = make(chan struct{})
	atMost := expected(t.Worth)
	if t.patient {
		atMost = longWait
	}
	l.mu.Unlock()

	start := time.Now()
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-t.ready:
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waited += time.Since(start)
	if t.state == queued {
		l.unqueue(t, time.Now())
		t.state = refused
		l.turnedAway++
	}
	return l.begin(t), l.crowded()
}

// crowded reports whether those that run could keep the processors busy for long enough to matter, if all of it was
// theirs to do.
func (l *Limiter) crowded() bool {
	return l.load.service == 0 || l.load.service*time.Duration(l.load.running) > busyFor*time.Duration(l.procs)
}

// begin lets the handler of a call with a permit run.
func (l *Limiter) begin(t *Ticket) bool {
	if t.state != granted {
		return false
	}
	t.state, t.since = reading, time.Since(l.born)
	if !t.Reads {
		l.run(t)
	}
	return true
}

func (l *Limiter) run(t *Ticket) {
	l.begun.remove(t)
	t.state, t.since = running, time.Since(l.born)
}

// Read is told that the message of t has come, and reports whether t may still run: where others want its permit, one that
// has waited for its message for long has lost it.
func (l *Limiter) Read(t *Ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.state == reading {
		l.run(t)
	}
	return t.state == running
}

// End gives back what t has: a permit, or its place in the queue. After the first time, and without either, it does
// nothing.
func (l *Limiter) End(t *Ticket, o Outcome, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch t.state {
	case queued:
		l.unqueue(t, now)
	case granted, reading:
		l.begun.remove(t)
		l.release(t, now)
	case running:
		l.release(t, now)
		l.finished(t, o, now)
	}
	t.state = ended
	l.dispatch(now)
}

// finished counts a call that ran.
func (l *Limiter) finished(t *Ticket, o Outcome, now time.Time) {
	if o == Unknown {
		return
	}
	l.passed++
	l.load.ended(now.Sub(l.born)-t.since, o)
	if w, ok := l.load.window(now, l.limit.window, l.queue.n > 0); ok {
		l.limit.adapt(w)
	}
}

// grant gives t a permit.
func (l *Limiter) grant(t *Ticket, now time.Time) {
	t.state = granted
	l.begun.push(t)
	l.callers[t.Share]++
	l.load.began(now)
	if t.ready != nil {
		close(t.ready)
	}
}

func (l *Limiter) release(t *Ticket, now time.Time) {
	l.callers[t.Share]--
	l.load.left(now)
}

// free reports whether one more call may run.
func (l *Limiter) free(now time.Time) bool {
	if l.open || l.load.running < min(2*l.procs, l.limit.now) {
		return true
	}
	l.reclaim(now)
	if l.load.running >= l.limit.now {
		l.limit.pressed = true
		return false
	}
	return !l.crowded() || l.runnable() <= l.procs
}

// reclaim takes permits back from calls that ended before their handler began, which grpc-go does not tell of: those
// whose message is compressed in a way that it does not know, and those cancelled in between; and from calls whose caller
// sends its message late or never, or anybody could stop the service with the headers of a hundred calls. The oldest are
// looked at.
func (l *Limiter) reclaim(now time.Time) {
	for t, looked := l.begun.head, 0; t != nil && looked < 8; looked++ {
		next := t.next
		late := t.state == reading && l.load.running >= l.limit.now && now.Sub(l.born)-t.since > readWait
		if late || t.Parent.Err() != nil {
			l.begun.remove(t)
			t.state = refused
			l.release(t, now)
		}
		t = next
	}
}

// mayWait reports whether t gets a place in the queue.
func (l *Limiter) mayWait(t *Ticket, now time.Time) bool {
	room := capacity * (2 + t.Worth.rank()) / 4
	if l.queue.n >= room || l.queue.hogs(t, room/2) {
		return false
	}
	if t.patient = !l.isOverloaded(now); t.patient {
		return true
	}
	return l.load.interval*time.Duration(l.queue.ahead(t.Worth, t.Share)) <= expected(t.Worth)
}

// expected is what a call may expect to wait in an overload: one that is given up last waits longer.
func expected(worth Worth) time.Duration {
	if worth == Critical {
		return 5 * shortWait
	}
	return shortWait
}

func (l *Limiter) isOverloaded(now time.Time) bool {
	lasting := now.Sub(l.turned) >= standing
	switch {
	case l.overloaded.IsZero():
		if l.queue.n == 0 || !lasting || l.passed < moving {
			return false
		}
	case l.queue.n == 0 && lasting:
		l.overloaded = time.Time{}
		return false
	case now.Sub(l.overloaded) < reconsidered:
		return true
	case 3*l.turnedAway < l.arrived:
		l.overloaded = time.Time{}
		l.turn(now) // what waits now is a queue of its own
		return false
	}
	l.overloaded, l.arrived, l.turnedAway = now, 0, 0
	return true
}

func (l *Limiter) enqueue(t *Ticket, now time.Time) {
	if l.queue.n == 0 {
		l.turn(now)
	}
	t.state = queued
	l.queue.push(t)
	l.lookSoon()
}

func (l *Limiter) unqueue(t *Ticket, now time.Time) {
	l.queue.remove(t)
	if l.queue.n == 0 {
		l.turn(now)
	}
}

// turn notes that the queue has become one, or none.
func (l *Limiter) turn(now time.Time) { l.turned, l.passed = now, 0 }

// dispatch lets those run that waited, as far as there is room.
func (l *Limiter) dispatch(now time.Time) {
	for l.queue.n > 0 {
		t := l.queue.next(&l.callers)
		if l.tooLate(t, now) {
			l.unqueue(t, now)
			l.refuse(t)
			continue
		}
		if !l.free(now) {
			break
		}
		l.unqueue(t, now)
		l.queue.served(t)
		l.grant(t, now)
	}
	l.lookSoon()
}

// tooLate reports whether the caller of t has given up, or will have when it is done. It is asked before there is room: a
// call that died before its handler ran has nobody who takes it out of the queue.
func (l *Limiter) tooLate(t *Ticket, now time.Time) bool {
	if t.Parent.Err() != nil {
		return true
	}
	deadline, ok := t.Parent.Deadline()
	return ok && deadline.Sub(now) < l.load.service/2
}

// refuse tells a call that waited that it may not run.
func (l *Limiter) refuse(t *Ticket) {
	t.state = refused
	if t.ready != nil {
		close(t.ready)
	}
}

// lookSoon has the processors looked at again while calls wait: nobody tells when they become free.
func (l *Limiter) lookSoon() {
	if l.looking || l.queue.n == 0 {
		return
	}
	l.looking = true
	time.AfterFunc(lookAgain, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.looking = false
		l.dispatch(time.Now())
	})
}

// State is what a limiter looks like from outside.
type State struct {
	Limit, Running, Queued int
	Waited                 time.Duration // of all calls together
}

// State returns the state at this moment.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reclaim(time.Now())
	return State{Limit: l.limit.now, Running: l.load.running, Queued: l.queue.n, Waited: l.waited}
}
