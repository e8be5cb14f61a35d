package chassis

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The parts of the way out fit in the whole, or the start says which values would.
func TestPartsOfTheShutdown(t *testing.T) {
	for _, test := range []struct {
		shutdown, drain, grace time.Duration
		want                   []string // none: it is right
	}{
		{shutdown: 20 * time.Second, drain: 5 * time.Second},
		{shutdown: stopReserve + 1},
		{shutdown: stopReserve, want: []string{"CHASSIS_SHUTDOWN_TIMEOUT is 3s, which leaves no time for calls", "set it to more than 3s"}},
		{shutdown: 1, want: []string{"CHASSIS_SHUTDOWN_TIMEOUT is 1ns", "set it to more than 3s"}},
		{shutdown: time.Second, drain: 5 * time.Second, want: []string{"CHASSIS_SHUTDOWN_TIMEOUT is 1s", "set it to more than 8s"}},
		{shutdown: 8*time.Second + 1, drain: 5 * time.Second},
		{shutdown: 8 * time.Second, drain: 5 * time.Second, want: []string{
			"CHASSIS_DRAIN_DELAY is 5s, which leaves no time for calls", "less than 5s", "more than 8s",
		}},
		{shutdown: 20 * time.Second, drain: 1<<63 - 1, want: []string{"CHASSIS_DRAIN_DELAY is", "less than 17s"}},
		{shutdown: 20 * time.Second, grace: 20 * time.Second},
		{shutdown: 20*time.Second + 1, grace: 20 * time.Second, want: []string{"killed after CHASSIS_GRACE_PERIOD, 20s"}},
		{shutdown: 3 * time.Second, grace: 2 * time.Second, want: []string{"set it to more than 3s", "killed after CHASSIS_GRACE_PERIOD, 2s"}},
		{shutdown: 0, drain: 5 * time.Second}, // told of as a number that must be more than zero
	} {
		c := Config{ShutdownTimeout: test.shutdown, DrainDelay: test.drain, GracePeriod: test.grace}
		errs := c.validateShutdown()
		if len(test.want) == 0 && len(errs) > 0 || len(test.want) > 0 && len(errs) == 0 {
			t.Errorf("%s, %s, %s: got %v, want %q", test.shutdown, test.drain, test.grace, errs, test.want)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(errors.Join(errs...).Error(), part) {
				t.Errorf("%s, %s, %s: no %q in %v", test.shutdown, test.drain, test.grace, part, errs)
			}
		}
	}
}

// The graces of streams are within what calls have, whatever that is.
func TestGracesOfStreams(t *testing.T) {
	for _, left := range []time.Duration{-1, 0, 1, 10 * time.Millisecond, 12 * time.Second, time.Hour} {
		streams, uploads := streamGrace(left), uploadGrace(left)
		if streams > uploads || uploads > max(left, 0) || left > time.Second && (streams < left/3 || uploads >= left) {
			t.Errorf("of %s, streams have %s and uploads %s", left, streams, uploads)
		}
	}
}
