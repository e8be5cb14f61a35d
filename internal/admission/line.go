package admission

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

const (
	// capacity is how many calls wait at most. The less critical may fill a part of it, and one share half of that if
	// others wait too. What bounds the memory of calls that wait is what bounds calls: streams and connections.
	capacity = 16384

	// In an overload a call waits if its turn will come within shortWait, and gives up after longerWait where it
	// comes later than expected. A call of a share that asks for no more than its part may wait so long or for
	// fewTurns, and a critical one, or one of a share that asks for half of its part, for longWait: they go before the
	// others. None of these waits for more than three quarters of what its caller has left.
	shortWait  = 10 * time.Millisecond
	longerWait = 25 * time.Millisecond
	longWait   = 250 * time.Millisecond
	fewTurns   = 6

	forever time.Duration = math.MaxInt64
)

// line is where calls wait for something of which there is too little. It belongs to who lets them in, and to its lock.
type line struct {
	queue   queue
	running [shares]int // that were let in and have not left, by share
	held    int         // of all shares
	recent  recent      // of them
	judge   judge
	waited  time.Duration // of all calls together
	patient bool          // no call is refused
	excess  excess        // tells which would be
	waiters sync.Pool     // that no call uses
}

// join puts t into the line, or refuses it: false.
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
	case l.queue.n >= room || l.queue.hogs(t, room/2) || l.judge.refuses() && !l.worthWaiting(ctx, t):
		l.judge.turnedAway++
		t.state = refused
		return false
	}
	t.state, t.ctx, t.since = waiting, ctx, now
	l.queue.push(t)
	return true
}

// seat gives t what it waits with, if it has to wait.
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

// wait returns when t is no longer in the line. It must not hold the lock.
func (l *line) wait(ctx context.Context, t *Ticket, lock sync.Locker, now func() time.Duration) {
	w := t.waiter
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
	l.waiters.Put(w)
}

// worthWaiting reports whether t gets its turn soon enough in an overload, and notes how long it may wait.
func (l *line) worthWaiting(ctx context.Context, t *Ticket) bool {
	soon := shortWait
	t.mayWait = longerWait
	if most := l.patience(t); most > 0 {
		soon = min(most, left(ctx)*3/4)
		t.mayWait = soon
	}
	return time.Duration(l.queue.ahead(t))*l.judge.interval <= soon
}

// patience is how long t may wait in an overload because of its worth or its share, zero if it is like most.
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

// first returns the call whose turn it is, nil if none waits. What died waiting, or has waited for too long, leaves.
func (l *line) first(now time.Duration) *Ticket {
	for {
		// Where calls die in the line, the oldest would be begun just before their time is up, and nobody would have them.
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

// let lets t in.
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

// refuse takes t out of the line for good.
func (l *line) refuse(t *Ticket, now time.Duration) {
	if t.ctx.Err() == nil {
		l.judge.turnedAway++
	} else if now-t.since > longDead {
		l.judge.died++
	}
	l.waited += now - t.since
	l.leave(t, refused)
}

// giveUp takes t out of the line if it still waits there.
func (l *line) giveUp(t *Ticket, now time.Duration) {
	if t.state == waiting {
		l.refuse(t, now)
	}
}

// leave takes t out of the line. What t is for its call must be so before: the call goes on at once.
func (l *line) leave(t *Ticket, to state) {
	l.queue.remove(t)
	t.state, t.ctx = to, nil
	if t.waiter != nil {
		t.waiter.done <- struct{}{}
	}
}

// ended is told that t, which was let in, has ended.
func (l *line) ended(t *Ticket, now time.Duration) {
	if t.counted {
		l.excess.done(now)
		t.counted = false
		l.running[t.Share]--
		l.held--
		l.recent.end(t.since, now)
	}
}
