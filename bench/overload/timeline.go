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

// printTimeline writes what became of the calls of each half second, overload and calm one after the other.
func printTimeline(out io.Writer, shape string, r result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s, admission %s\n%8s %8s %8s %8s %8s  %-38s  %s\n", shape, r.admission,
		"second", "due", "served", "refused", "expired", "served of critical, normal, sheddable", "core: had, waited for")
	calls := slices.Concat(r.overload, r.calm)
	for i := 0; len(calls) > 0 && i+1 < len(r.samples); i++ {
		begin := time.Duration(i) * timelineStep
		n := firstAfter(calls, begin+timelineStep)
		step := calls[:n]
		fmt.Fprintf(&text, "%8.1f %8d %8d %8d %8d  %-38s  %s\n", begin.Seconds(), n,
			count(step, is(served)), count(step, is(refused)), count(step, is(expired)), byWorth(step), core(r.samples[i], r.samples[i+1]))
		calls = calls[n:]
	}
	_, err := io.WriteString(out, text.String())
	return err
}
