package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestScheduleHasTheRatesAndTheMix(t *testing.T) {
	phases := schedule(250*ms, phase{rate: 3000, lasts: 10 * time.Second}, phase{rate: 500, lasts: 4 * time.Second})
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > .05*want {
			t.Errorf("%s: %.0f, expected about %.0f", what, got, want)
		}
	}
	first, second := phases[0], phases[1]
	near("calls of the first phase", float64(len(first)), 30000)
	near("calls of the second phase", float64(len(second)), 2000)
	near("critical calls", float64(count(first, worth(critical))), 6000)
	near("normal calls", float64(count(first, worth(normal))), 15000)
	near("sheddable calls", float64(count(first, worth(sheddable))), 9000)
	near("calls of the small caller", float64(count(first, whose(small))), 3000)
	near("critical ones of them", float64(count(first, whose(small), worth(critical))), 600)

	if last := first[len(first)-1].due; last >= 10*time.Second {
		t.Errorf("the first phase ends at %s, expected it within its 10 s", last)
	}
	if begin := second[0].due; begin < 10*time.Second || begin > 11*time.Second {
		t.Errorf("the second phase begins at %s, expected it right after the first's 10 s", begin)
	}
	all := slices.Concat(first, second)
	if !slices.IsSortedFunc(all, func(a, b call) int { return int(a.due - b.due) }) {
		t.Error("the calls are not in the order in which they are due")
	}
	if again := schedule(250*ms, phase{rate: 3000, lasts: 10 * time.Second}); !slices.Equal(again[0], first) {
		t.Error("a second schedule differs, so two columns would not have had the same calls")
	}
}

func TestPickFollowsTheShares(t *testing.T) {
	shares := []float64{.2, .5, .3}
	for at, want := range map[float64]int{0: 0, .19: 0, .2: 1, .69: 1, .71: 2, .999999999999999: 2} {
		if got := pick(at, shares); got != want {
			t.Errorf("%v falls into share %d, expected %d", at, got, want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		err  error
		want outcome
	}{
		{nil, served},
		{status.Error(codes.ResourceExhausted, ""), refused},
		{status.Error(codes.Unavailable, ""), refused},
		{status.Error(codes.DeadlineExceeded, ""), expired},
		{status.FromContextError(context.Canceled).Err(), expired},
		{status.Error(codes.Internal, ""), failed},
		{errors.New("no status"), failed},
	}
	for _, test := range tests {
		if got := outcomeOf(test.err); got != test.want {
			t.Errorf("%v: outcome %d, expected %d", test.err, got, test.want)
		}
	}
}
