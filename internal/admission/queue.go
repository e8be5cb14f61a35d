package admission

import "math/bits"

// queue holds the calls that wait: by worth, and in that by caller.
type queue struct {
	levels [worths]level
	n      int
}

// level are the waiting calls of one worth.
type level struct {
	callers [callers]list
	waiting uint64 // a bit for each caller that has one
	turn    uint8  // the caller that comes first where several have the fewest running
	n       int
}

func (q *queue) push(t *Ticket) {
	l := &q.levels[t.Worth.rank()]
	l.callers[t.Share].push(t)
	l.waiting |= 1 << t.Share
	l.n++
	q.n++
}

func (q *queue) remove(t *Ticket) {
	l := &q.levels[t.Worth.rank()]
	c := &l.callers[t.Share]
	c.remove(t)
	if c.n == 0 {
		l.waiting &^= 1 << t.Share
	}
	l.n--
	q.n--
}

// next returns the call that runs next: of those of the highest worth the oldest of the caller that has the fewest
// running, of several such callers the one whose turn is next; nil if none waits.
func (q *queue) next(running *[callers]int) *Ticket {
	for worth := range q.levels {
		l := &q.levels[len(q.levels)-1-worth]
		if l.n == 0 {
			continue
		}
		fewest := -1
		for rest := bits.RotateLeft64(l.waiting, -int(l.turn)); rest != 0; rest &= rest - 1 {
			if c := (bits.TrailingZeros64(rest) + int(l.turn)) % callers; fewest < 0 || running[c] < running[fewest] {
				fewest = c
			}
		}
		return l.callers[fewest].head
	}
	return nil
}

// served notes that the caller of t has had its turn.
func (q *queue) served(t *Ticket) { q.levels[t.Worth.rank()].turn = (t.Share + 1) % callers }

// hogs reports whether the caller of t has that many calls in the queue while others wait too.
func (q *queue) hogs(t *Ticket, most int) bool {
	l := &q.levels[t.Worth.rank()]
	return l.callers[t.Share].n >= most && l.waiting != 1<<t.Share
}

// ahead returns how many calls go before another one of that worth and caller, if callers take turns.
func (q *queue) ahead(worth Worth, caller uint8) int {
	n := 0
	for rank := worth.rank() + 1; rank < worths; rank++ {
		n += q.levels[rank].n
	}
	l := &q.levels[worth.rank()]
	turns := bits.OnesCount64(l.waiting | 1<<caller)
	return n + min(l.n, l.callers[caller].n*turns+turns-1)
}
