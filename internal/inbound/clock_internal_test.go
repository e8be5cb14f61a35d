package inbound

import (
	"testing"
	"time"
)

// clocks are what becomes of the time when somebody sets the clock: the monotonic part, where there
// is one, goes on.
var clocks = map[string]time.Duration{"an hour back": -time.Hour, "an hour ahead": time.Hour}

// A server goes on to report its load when the clock is set.
func TestLoadWhenTheClockIsSet(t *testing.T) {
	for name, jump := range clocks {
		t.Run(name, func(t *testing.T) {
			var used time.Duration
			l := &load{ended: func() uint64 { return 0 }, cpu: func() time.Duration { used += time.Hour; return used }}
			now := time.Now().Round(0) // the wall clock alone, as after an Add to what was stored without the other
			reports := func() (n int) {
				for range 100 {
					now = now.Add(50 * time.Millisecond)
					if l.report(now) != nil {
						n++
					}
				}
				return n
			}
			before := reports()
			now = now.Add(jump)
			if after := reports(); before < 80 || after < 80 {
				t.Errorf("%d reports in five seconds, then %d", before, after)
			}
		})
	}
}
