package admission

import (
	"context"
	"hash/maphash"
	"time"
)

// Ticket is a call's place: running, waiting or refused. It is part of the call, so that it costs no object of its own,
// and belongs to one Limiter from its arrival on. The zero value has not arrived.
type Ticket struct {
	// Parent is the context of the call's transport. It ends with the call even where no handler is ever run for it.
	Parent context.Context //nolint:containedctx // a call that dies before its handler shows it here alone

	next, prev *Ticket       // in the queue, or among those that have their permit and not their message
	since      time.Duration // when its handler began, or began to read, counted from the limiter's first day
	ready      chan struct{} // closed when it may run; made by a handler that has to wait

	// Worth says how late the call is given up, and Share who takes turns with whom: see [Callers]. They are set before the call
	// arrives.
	Worth Worth
	Share uint8

	// Reads says that the call's message is still to come when it may run, and that [Limiter.Read] is told of it. It is set
	// before the call arrives.
	Reads bool

	arrived bool // set before others see the ticket, and not changed
	state   state
	patient bool // it came while the queue was no standing one
}

// Arrived reports whether the call has asked for a place.
func (t *Ticket) Arrived() bool { return t.arrived }

type state uint8

const (
	absent  state = iota
	queued        // waits
	granted       // has its permit; its handler has not begun
	reading       // has its permit; its handler waits for the message
	running       // has its permit, and runs
	refused       // may not run
	ended         // gave its permit back
)

// Worth is what a call is worth in an overload. The values are those of the contract's criticality.
type Worth int8

// The worths, from what is given up first to what is given up last.
const (
	Sheddable Worth = iota - 1
	Normal
	Critical
	worths = 3
)

// rank is the worth as an index: more is worth more.
func (w Worth) rank() int { return int(w - Sheddable) }

// Outcome is what came of a call, as far as it tells how much can be done at once.
type Outcome uint8

// The outcomes.
const (
	Useful  Outcome = iota
	Wasted          // it ran out of time, or its caller stopped waiting
	Unknown         // it goes on without a permit, as a stream does once it runs
)

// callers is the number of shares that identities are spread over.
const callers = 64

// Callers spreads the callers over shares, differently in each process, so that two that share a place in one replica do
// not in the next.
type Callers struct{ seed maphash.Seed }

// NewCallers returns a spread of its own.
func NewCallers() Callers { return Callers{maphash.MakeSeed()} }

// Share returns the share of an identity.
func (c Callers) Share(identity string) uint8 {
	return uint8(maphash.String(c.seed, identity) % callers)
}

// list is a doubly linked list through the tickets.
type list struct {
	head, tail *Ticket
	n          int
}

func (l *list) push(t *Ticket) {
	t.prev, t.next = l.tail, nil
	if l.tail == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
	l.n++
}

func (l *list) remove(t *Ticket) {
	if t.prev == nil {
		l.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
	l.n--
}
