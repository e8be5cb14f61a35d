package inbound

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Calls that are being refused count as refused before they count as ended. A server that does
// nothing else while its load is measured has served no calls, and not as many as there are
// numbers.
func TestLoadWhileCallsAreRefused(t *testing.T) {
	var ended uint64
	var cpu time.Duration
	l := &load{ended: func() uint64 { return ended }, cpu: func() time.Duration { return cpu }}
	now := time.Now()
	rate := func() float64 {
		now, cpu = now.Add(time.Second), cpu+time.Hour
		report := l.report(now)
		if report == nil {
			return 0
		}
		for b := []byte(report[loadKey][0]); len(b) >= 9; b = b[9:] {
			number, _, n := protowire.ConsumeTag(b)
			value, _ := protowire.ConsumeFixed64(b[n:])
			if number == orcaCalls {
				return math.Float64frombits(value)
			}
		}
		t.Fatal("a report without its rate")
		return 0
	}
	rate()
	ended = 100
	if got := rate(); got != 100 {
		t.Errorf("%v calls a second, want 100", got)
	}
	l.refused.Store(3)
	if got := rate(); got != 50 {
		t.Errorf("%v calls a second, want half of what there were", got)
	}
	ended += 3
	if got := rate(); got > 50 {
		t.Errorf("%v calls a second, want no more than before", got)
	}
}
