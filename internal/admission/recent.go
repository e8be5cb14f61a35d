package admission

import "time"

// old is how long a call has run that says nothing any more of what may begin: a stream, a long poll, a long
// computation. What it takes of the processors shows in the scheduler's queue.
const old = 500 * time.Millisecond

const (
	part  = 100 * time.Millisecond
	parts = int64(old / part)
)

// recent counts what has begun lately and has not ended, by the part of the time in which it has begun.
type recent struct {
	at     int64 // the part of the present
	counts [parts]int
}

// turn forgets what has become old.
func (r *recent) turn(now time.Duration) {
	at := int64(now / part)
	for ; r.at < at; r.at++ {
		if at-r.at > parts {
			r.at = at - parts
		}
		r.counts[(r.at+1)%parts] = 0
	}
}

func (r *recent) begin(now time.Duration) {
	r.turn(now)
	r.counts[r.at%parts]++
}

// end counts out what began at since.
func (r *recent) end(since, now time.Duration) {
	r.turn(now)
	if began := int64(since / part); r.at-began < parts {
		r.counts[began%parts]--
	}
}

// n returns how many there are.
func (r *recent) n(now time.Duration) int {
	r.turn(now)
	n := 0
	for _, count := range r.counts {
		n += count
	}
	return n
}
