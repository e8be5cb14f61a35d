package main

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/bench/internal/certs"
)

// No honest call is refused, on whatever machine. What is lost besides is the machine's doing, and
// not asserted.
func TestHonestCallsAreNotRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const lasts = 2500 * time.Millisecond
	for _, name := range []string{"waits", "stops", "dependency", "hopeless", "bursts", "worker"} {
		t.Run(name, func(t *testing.T) {
			shapes, _, err := choose(name)
			if err != nil {
				t.Fatal(err)
			}
			var r honestResult
			err = withCertificates(func(dir certs.Dir) (err error) {
				r, err = shapes[0].measure(t.Context(), lasts, dir, "on")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := printHonest(t.Output(), shapes[0], []honestResult{r}); err != nil {
				t.Fatal(err)
			}
			if n := count(r.calls, is(refused)); n > 0 {
				t.Errorf("%d of %d honest calls were refused, expected none", n, len(r.calls))
			}
			if r.seen[metricHandlers] == 0 {
				t.Error("the service saw no handler begin: its figures are not those of its calls")
			}
		})
	}
}

func TestHonestShapesHaveTheirRates(t *testing.T) {
	for _, s := range honestShapes {
		calls := s.schedule(10 * time.Second)
		want := 0.
		for _, l := range s.loads(10 * time.Second) {
			want += 10*l.rate + 5*float64(l.burst)
		}
		if got := float64(len(calls)); got < .8*want || got > 1.2*want {
			t.Errorf("%s has %.0f calls, expected about %.0f", s.name, got, want)
		}
		for i := 1; i < len(calls); i++ {
			if calls[i].due < calls[i-1].due {
				t.Fatalf("%s: call %d is due before the one that is sent before it", s.name, i)
			}
		}
	}
}

func TestLostCallsAreThoseThatTheShapeDoesNotLose(t *testing.T) {
	poll := ask{wait: time.Minute}
	tests := map[string]struct {
		c    call
		want bool
	}{
		"served":                     {call{code: codes.OK, outcome: served, deadline: time.Second}, false},
		"a poll without news":        {call{code: codes.DeadlineExceeded, outcome: expired, deadline: time.Second, ask: poll}, false},
		"a poll that is cut":         {call{code: codes.Internal, outcome: failed, deadline: time.Second, ask: poll}, true},
		"too late":                   {call{code: codes.DeadlineExceeded, outcome: expired, deadline: time.Second}, true},
		"denied":                     {call{code: codes.PermissionDenied, outcome: failed, ask: ask{way: byDeny}}, false},
		"invalid":                    {call{code: codes.InvalidArgument, outcome: failed, deadline: time.Second, ask: ask{invalid: true}}, false},
		"denied though it may":       {call{code: codes.PermissionDenied, outcome: failed, deadline: time.Second}, true},
		"refused, which is not lost": {call{code: codes.Unavailable, outcome: refused, deadline: time.Second}, false},
	}
	for name, test := range tests {
		if got := lost(test.c); got != test.want {
			t.Errorf("%s: lost %t, expected %t", name, got, test.want)
		}
	}
}
