package admission

import (
	"math/bits"

	"github.com/betmakers/paddock/internal/criticality"
)

// queue has the waiting calls, by worth and then by share.
type queue struct {
	levels [criticality.Count]level
	n      int
}

// level are the waiting calls of one worth.
type level struct {
	shares [shares]list
	some   [shares / 64]uint64 // a bit for each share that has one
	turn   uint8               // the share that comes first where several have the fewest running
	n      int
}

func (q *queue) push(t *Ticket) {
	l := &q.levels[t.Worth.Rank()]
	l.shares[t.Share].push(t)
	l.some[t.Share/64] |= 1 << (t.Share % 64)
	l.n++
	q.n++
}

func (q *queue) remove(t *Ticket) {
	l := &q.levels[t.Worth.Rank()]
	s := &l.shares[t.Share]
	s.remove(t)
	if s.n == 0 {
		l.some[t.Share/64] &^= 1 << (t.Share % 64)
	}
	l.n--
	q.n--
}

// next returns the call that runs next, nil if none waits. It is of the highest worth, of the
// share with the fewest running calls, and the oldest or the newest of that share. Shares with
// equally many running calls take turns.
func (q *queue) next(running *[shares]int, newest bool) *Ticket {
	for rank := criticality.Count - 1; rank >= 0; rank-- {
		l := &q.levels[rank]
		if l.n == 0 {
			continue
		}
		fewest, distance := -1, 0
		for word, some := range l.some {
			for ; some != 0; some &= some - 1 {
				share := word*64 + bits.TrailingZeros64(some)
				after := int(uint8(share) - l.turn) //nolint:gosec // wraps around
				if fewest < 0 || running[share] < running[fewest] || running[share] == running[fewest] && after < distance {
					fewest, distance = share, after
				}
			}
		}
		if newest && rank < criticality.Critical.Rank() { // critical ones go before the others, and are soon let in
			return l.shares[fewest].tail
		}
		return l.shares[fewest].head
	}
	return nil
}

// served records that the share of t has had its turn.
func (q *queue) served(t *Ticket) { q.levels[t.Worth.Rank()].turn = t.Share + 1 }

// of returns the number of waiting calls with the worth and share of t.
func (q *queue) of(t *Ticket) int { return q.levels[t.Worth.Rank()].shares[t.Share].n }

// overShare reports whether the share of t has at least most calls in the queue while others wait
// too.
func (q *queue) overShare(t *Ticket, most int) bool {
	n := q.of(t)
	return n >= most && n < q.levels[t.Worth.Rank()].n
}

// ahead returns the number of calls that would go before t if it joined now, if shares take
// turns.
func (q *queue) ahead(t *Ticket) int {
	n := 0
	for rank := t.Worth.Rank() + 1; rank < criticality.Count; rank++ {
		n += q.levels[rank].n
	}
	l := &q.levels[t.Worth.Rank()]
	turns := 0
	for _, some := range l.some {
		turns += bits.OnesCount64(some)
	}
	own := l.shares[t.Share].n
	if own == 0 {
		turns++
	}
	return n + min(l.n, own*turns+turns-1)
}
