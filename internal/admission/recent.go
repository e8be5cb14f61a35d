package admission

import "time"

// old is the running time after which a call does not affect admission any more: a stream, a long
// poll, a long computation. Its use of processors shows in the scheduler's queue.
const old = 500 * time.Millisecond

const (
	part  = 100 * time.Millisecond
	parts = int64(old / part)
)

// recent counts calls that began recently and have not ended, by the interval in which they
// began.
type recent struct {
	at     int64 // the part of the present
	counts [parts]int
}

// turn drops calls that have become old.
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

// end removes a call that began at since.
func (r *recent) end(since, now time.Duration) {
	r.turn(now)
	if began := int64(since / part); r.at-began < parts {
		r.counts[began%parts]--
	}
}

// n returns the number of recent calls.
func (r *recent) n(now time.Duration) int {
	r.turn(now)
	n := 0
	for _, count := range r.counts {
		n += count
	}
	return n
}
