package admission // to choose the processors

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A pool of ten takes what it takes, however many processors there are, and although the first calls to find none free have
// all run out of time.
func TestPoolBesideManyProcessors(t *testing.T) {
	for _, procs := range []int{1, 2, 64} {
		t.Run(strconv.Itoa(procs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, rate := newMachine(10, 30*time.Millisecond), 333
				l := newLimiter(procs, func() int { return 0 })
				r := offer(l, m, 3*rate, 20*time.Second, timeout, aMix)
				if goodput := r.goodput(20*time.Second) / float64(rate); goodput < .85 {
					t.Errorf("%.2f of the capacity is served, at a limit of %d", goodput, l.State().Limit)
				}
			})
		})
	}
}
