package admission

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

const (
	// capacity is the largest number of waiting calls. Less critical calls may fill a part of it,
	// and one share half of that part if others wait too. The memory of waiting calls is bounded
	// by the limits of streams and connections.
	capacity = 16384

	// In an overload, a call waits if its turn will come within shortWait, and gives up after
	// longerWait if its turn comes later than expected. These wait longer, because they go before
	// the others:
	//
	//   - a call of a share that asks for no more than its part: longerWait or fewTurns
	//   - a critical call, and a call of a share that asks for half of its part: longWait or
	//     fewTurns
	//
	// None of them waits for more than three quarters of the time that its caller has left.
	shortWait  = 10 * time.Millisecond
	longerWait = 25 * time.Millisecond
	longWait   = 250 * time.Millisecond
	fewTurns   = 6

	forever time.Duration = math.MaxInt64
)

// line is a queue of calls for a scarce thing. Its owner admits the calls, and the owner's lock
// guards it.
type line struct {
	queue   queue
	running [shares]int // that were let in and have not left, by share
	held    int         // of all shares
	recent  recent      // of them
	judge   judge
	waited  time.Duration // of all calls together
	patient bool          // no call is refused
	excess  excess        // for a line that refuses none
	waiters sync.Pool     // that no call uses
}

// join adds t to the line. It returns false if t is refused.
func (l *line) join(ctx context.Context, t *Ticket, now time.Duration) bool {
	l.judge.event(now, l.queue.n)
	l.judge.came(t.Share)
	t.mayWait = forever
	room := capacity * (2 + t.Worth.Rank()) / 4
	switch {
	case l.patient || t.Patient:
		if t.reported = l.excess.beyond(t.Worth, now) && l.judge.refuses(); t.reported {
			l.judge.turnedAway++
		}
	case l.queue.n >= room || l.queue.overShare(t, room/2) || l.judge.refuses() && !l.worthWaiting(ctx, t):
		l.judge.turnedAway++
		t.state = refused
		return false
	}
	t.state, t.ctx, t.since = waiting, ctx, now
	l.queue.push(t)
	return true
}

// seat gives t a waiter, if it has to wait.
func (l *line) seat(t *Ticket) {
	if t.state != waiting {
		return
	}
	if w, ok := l.waiters.Get().(*waiter); ok {
		t.waiter = w
		return
	}
	t.waiter = &waiter{done: make(chan struct{}, 1)}
}

// wait returns when t has left the line. The caller must not hold the lock.
func (l *line) wait(ctx context.Context, t *Ticket, lock sync.Locker, now func() time.Duration) {
	w, begun := t.waiter, now()
	most := t.mayWait
	if t.TimesOut {
		most = min(most, left(ctx))
	}
	if !w.await(ctx, most) {
		lock.Lock()
		l.giveUp(t, now())
		lock.Unlock()
		<-w.done
	}
	t.waiter = nil
	t.Waited += now() - begun
	l.waiters.Put(w)
}

// worthWaiting reports whether the turn of t comes soon enough in an overload, and sets how long
// it may wait.
func (l *line) worthWaiting(ctx context.Context, t *Ticket) bool {
	soon := shortWait
	t.mayWait = longerWait
	if most := l.patience(t); most > 0 {
		soon = min(most, left(ctx)*3/4)
		t.mayWait = soon
	}
	return time.Duration(l.queue.ahead(t))*l.judge.interval <= soon
}

// patience is the time that t may wait in an overload because of its worth or its share, zero for
// ordinary calls.
func (l *line) patience(t *Ticket) time.Duration {
	asks := l.judge.asksOf(t.Share)
	switch {
	case t.Worth == criticality.Critical || asks <= .5:
		return max(longWait, fewTurns*l.judge.interval)
	case asks <= 1:
		return max(longerWait, fewTurns*l.judge.interval)
	}
	return 0
}

// first returns the call whose turn it is, nil if none waits. It removes calls that have expired
// or have waited too long.
func (l *line) first(now time.Duration) *Ticket {
	for {
		// If calls expire in the line, the oldest would begin just before its deadline, and its
		// answer would come too late.
		t := l.queue.next(&l.running, l.judge.dying())
		if t == nil || !l.tooLate(t, now) {
			return t
		}
		l.refuse(t, now)
	}
}

func (l *line) tooLate(t *Ticket, now time.Duration) bool {
	if t.ctx.Err() != nil {
		return true
	}
	if !l.judge.refuses() || l.patient || t.Patient {
		return false
	}
	most := t.mayWait
	if most == forever { // it came before the overload
		most = max(longerWait, l.patience(t))
	}
	return now-t.since > most
}

// let admits t from the line.
func (l *line) let(t *Ticket, now time.Duration) {
	l.queue.served(t)
	l.waited += now - t.since
	l.admit(t, now)
	l.leave(t, running)
}

// admit counts t as running.
func (l *line) admit(t *Ticket, now time.Duration) {
	t.state, t.counted, t.since = running, true, now
	l.running[t.Share]++
	l.held++
	l.recent.begin(now)
	l.judge.let++
}

// refuse removes t from the line for good.
func (l *line) refuse(t *Ticket, now time.Duration) {
	if t.ctx.Err() == nil {
		l.judge.turnedAway++
	} else if now-t.since > longDead {
		l.judge.died++
	}
	l.waited += now - t.since
	l.leave(t, refused)
}

// giveUp removes t if it is still in the line.
func (l *line) giveUp(t *Ticket, now time.Duration) {
	if t.state == waiting {
		l.refuse(t, now)
	}
}

// leave removes t from the line. Everything that t's call reads must be set before, because the
// call continues at once.
func (l *line) leave(t *Ticket, to state) {
	l.queue.remove(t)
	t.state, t.ctx = to, nil
	if t.waiter != nil {
		t.waiter.done <- struct{}{}
	}
}

// ended records the end of t, which was admitted.
func (l *line) ended(t *Ticket, now time.Duration) {
	if t.counted {
		l.excess.done(now)
		t.counted = false
		l.running[t.Share]--
		l.held--
		l.recent.end(t.since, now)
	}
}
