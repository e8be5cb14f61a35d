package admission

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

// Ticket is the place of a call: running, waiting or refused. It is a part of the call, so that
// it costs no allocation. The zero value has not asked for a place.
type Ticket struct {
	// Worth decides in which order calls are given up, and Share with which others the call takes
	// turns; see [Shares]. Set both before the call asks for a place.
	Worth criticality.Level
	Share uint8

	// Patient calls are not refused while their callers wait. Set it before the call asks for a
	// place.
	Patient bool

	// TimesOut reports that the Done of the call's context is not closed at its deadline, so that
	// the line has to check it. Set it before the call asks for a place.
	TimesOut bool

	// Waited is the time that the call has spent in lines. Read it when the call has its answer.
	Waited time.Duration

	state    state
	counted  bool // its share counts it as running
	reported bool // a line that refuses would have refused it

	ctx        context.Context //nolint:containedctx // a waiting call's: it is asked whether its caller still waits
	next, prev *Ticket         // in the line
	since      time.Duration   // when it began to wait, or to run
	mayWait    time.Duration   // in an overload
	waiter     *waiter         // of a call that has to wait
}

type state uint8

const (
	absent state = iota
	waiting
	running
	refused
)

// shares is the number of shares that callers and methods are spread over.
const shares = 256

// Shares distributes callers over shares, differently in each process, so that two callers that
// share in one replica do not share in the next.
type Shares struct{ seed maphash.Seed }

// NewShares returns a random distribution.
func NewShares() Shares { return Shares{maphash.MakeSeed()} }

// Of returns the share of a caller's calls of one method. Methods are numbered. Up to 256 methods
// of one caller have different shares.
func (s Shares) Of(caller string, method int) uint8 {
	return uint8(maphash.String(s.seed, caller)) + uint8(method*step) //nolint:gosec // both wrap around
}

// step distributes the methods of a caller. It is odd, or some of 256 methods would have the same
// share.
const step = 37

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
