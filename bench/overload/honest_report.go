package main

import (
	"fmt"
	"io"
	"strings"
)

// honestColumns are the figures of an honest shape, each with a number for every value of
// CHASSIS_ADMISSION.
var honestColumns = []struct {
	name string
	of   func(honestResult) string
}{
	{"sent", func(r honestResult) string { return fmt.Sprint(len(r.calls) - count(r.calls, is(unsent))) }},
	{"refused", func(r honestResult) string { return fmt.Sprint(count(r.calls, is(refused))) }},
	{"counted as refused, or reported", func(r honestResult) string {
		return fmt.Sprintf("%.0f", r.seen[metricRejected]+r.seen[metricAudited])
	}},
	{"lost", func(r honestResult) string { return fmt.Sprint(count(r.calls, lost)) }},
	{"held back, all together, s", func(r honestResult) string { return fmt.Sprintf("%.3f", r.seen[metricWaited]) }},
	{"holding, of all looks; most queued", func(r honestResult) string { return r.looks.String() }},
	{"answers, p99 and slowest, ms later than asked for", func(r honestResult) string {
		ok := only(r.calls, is(served))
		return strings.TrimSuffix(inMs(quantile(ok, .99, extra), quantile(ok, 1, extra)), " ms")
	}},
	{"before handlers, mean, ms", func(r honestResult) string {
		return fmt.Sprintf("%.2f", 1000*r.seen[metricBefore]/max(r.seen[metricHandlers], 1))
	}},
	{"most, ms", func(r honestResult) string { return fmt.Sprintf("%.1f", 1000*r.seen[metricMostBefore]) }},
	{"the service waited for processors", func(r honestResult) string { return fmt.Sprintf("%.0f %%", 100*r.waited) }},
	{"the generator's delay, p99, ms", func(r honestResult) string { return strings.TrimSuffix(inMs(quantile(r.calls, .99, lag)), " ms") }},
}

func printHonestHead(out io.Writer, p plan, admissions []string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\nhonest shapes, %s each; admission %s\n\n| %-16s |", p.honest, strings.Join(admissions, " / "), "shape")
	for _, column := range honestColumns {
		fmt.Fprintf(&text, " %s |", column.name)
	}
	text.WriteString("\n|---|" + strings.Repeat("---:|", len(honestColumns)) + "\n")
	_, err := io.WriteString(out, text.String())
	return err
}

func printHonest(out io.Writer, s shape, results []honestResult) error {
	var text strings.Builder
	fmt.Fprintf(&text, "| %-16s |", s.name)
	for _, column := range honestColumns {
		var cells []string
		for _, r := range results {
			cells = append(cells, column.of(r))
		}
		fmt.Fprintf(&text, " %s |", strings.Join(cells, " / "))
	}
	text.WriteByte('\n')
	_, err := io.WriteString(out, text.String())
	return err
}
