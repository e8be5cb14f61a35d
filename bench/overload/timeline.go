package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// timelineStep is how finely a timeline tells.
const timelineStep = 500 * time.Millisecond

// printTimeline writes what became of the calls of each half second, overload and calm one after
// the other.
func printTimeline(out io.Writer, shape string, r result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s, admission %s\n%8s %8s %8s %8s %8s  %-38s  %-20s  %s\n", shape, r.admission,
		"second", "due", "served", "refused", "expired", "served of critical, normal, sheddable",
		"of the second method", "core: had, waited for")
	calls := slices.Concat(r.overload, r.calm)
	for i := 0; len(calls) > 0 && i+1 < len(r.samples); i++ {
		begin := time.Duration(i) * timelineStep
		n := firstAfter(calls, begin+timelineStep)
		step := calls[:n]
		fmt.Fprintf(&text, "%8.1f %8d %8d %8d %8d  %-38s  %-20s  %s\n", begin.Seconds(), n,
			count(step, is(served)), count(step, is(refused)), count(step, is(expired)), byWorth(step),
			second(step), core(r.samples[i], r.samples[i+1]))
		calls = calls[n:]
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// second returns how many of the second method's calls were served.
func second(calls []call) string {
	if calls = only(calls, apart); len(calls) == 0 {
		return ""
	}
	return percent(share(calls, is(served)))
}
