package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// figures are those of one result, made from its calls.
type figures struct {
	offered, goodput float64 // calls per second
	ratio            float64 // goodput to peak
	worth            float64 // calls served for each second of CPU, to those at the peak
	recovery         time.Duration
	recovered        bool
}

// recoveryWindow is how finely the time to recover is told.
const recoveryWindow = 100 * time.Millisecond

func (r *result) figures(p plan) figures {
	f := figures{
		offered: float64(len(r.overload)) / p.overload.Seconds(),
		goodput: float64(count(r.overload, is(served))) / p.overload.Seconds(),
	}
	f.ratio = f.goodput / r.peak.served
	f.worth = r.perSecond(p) / r.peak.perSecond
	f.recovery, f.recovered = recovery(r.calm, p.overload)
	return f
}

// perSecond returns the calls served for each second of CPU during the overload.
func (r *result) perSecond(p plan) float64 {
	first := r.samples[0]
	last := r.samples[min(int(p.overload/timelineStep), len(r.samples)-1)]
	ok := func(c call) bool { return c.outcome == served && c.due < last.at.Sub(first.at) }
	return float64(count(r.overload, ok)) / (last.cpu - first.cpu).Seconds()
}

// useful returns the share of the works that were begun whose callers still waited when they were
// done.
func (r *result) useful() float64 {
	return float64(count(r.overload, is(served))+count(r.calm, is(served))) / max(r.begun, 1)
}

// latest is how late a call may have been sent that counts in the order.
const latest = 50 * time.Millisecond

// critical returns which share was served of the critical calls for which there was room: in each
// half second as many as calls were served at all. Others on the machine can make room scarce, and
// calls late.
func (r *result) critical() float64 {
	inTime := func(c call) bool { return c.lag <= latest }
	best, room := 0, 0
	for calls := only(r.overload, inTime); len(calls) > 0; {
		end := calls[0].due.Truncate(timelineStep) + timelineStep
		step := calls[:firstAfter(calls, end)]
		calls = calls[len(step):]
		best += count(step, worth(critical), is(served))
		room += min(count(step, worth(critical)), count(step, is(served)))
	}
	return float64(best) / float64(max(room, 1))
}

// firstAfter returns the index of the first call that is not due before end.
func firstAfter(calls []call, end time.Duration) int {
	n := slices.IndexFunc(calls, func(c call) bool { return c.due >= end })
	if n < 0 {
		return len(calls)
	}
	return n
}

// recovery returns the time from begin to the end of the first window whose calls were served, all
// but one in a hundred.
func recovery(calls []call, begin time.Duration) (time.Duration, bool) {
	for len(calls) > 0 {
		window := int((calls[0].due - begin) / recoveryWindow)
		end := begin + time.Duration(window+1)*recoveryWindow
		n := firstAfter(calls, end)
		if share(calls[:n], is(served)) >= .99 {
			return end - begin, true
		}
		calls = calls[n:]
	}
	return 0, false
}

// filter tells whether a call is meant.
type filter func(call) bool

func is(o outcome) filter { return func(c call) bool { return c.outcome == o } }

func whose(caller int) filter { return func(c call) bool { return c.caller == caller } }

func apart(c call) bool { return c.apart }

func worth(w criticality) filter { return func(c call) bool { return c.criticality == w } }

func only(calls []call, filters ...filter) (found []call) {
	for _, c := range calls {
		if !slices.ContainsFunc(filters, func(f filter) bool { return !f(c) }) {
			found = append(found, c)
		}
	}
	return found
}

func count(calls []call, filters ...filter) int { return len(only(calls, filters...)) }

func share(calls []call, f filter) float64 {
	if len(calls) == 0 {
		return 0
	}
	return float64(count(calls, f)) / float64(len(calls))
}

// quantile returns the least time that the share q of the calls does not exceed, 0 if there are
// none.
func quantile(calls []call, q float64, of func(call) time.Duration) time.Duration {
	if len(calls) == 0 {
		return 0
	}
	times := make([]time.Duration, len(calls))
	for i, c := range calls {
		times[i] = of(c)
	}
	slices.Sort(times)
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

func took(c call) time.Duration { return c.took }
func lag(c call) time.Duration  { return c.lag }

// extra is what the answer took beyond what the call asked for.
func extra(c call) time.Duration { return c.took - c.lag - c.ask.wait - c.ask.compute }

// answered counts from when the call was sent: a refusal's time without the generator's own delay.
func answered(c call) time.Duration { return c.took - c.lag }

// printTable writes one table in Markdown, a column for each result.
func printTable(out io.Writer, p plan, shape string, results []result) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s: %.1f x peak for %s, deadlines of %s, then %.1f x peak\n\n", shape, p.times, p.overload, p.deadline, calmLoad)
	for i, line := range table(p, results) {
		fmt.Fprintf(&text, "| %-48s |", line[0])
		for _, cell := range line[1:] {
			fmt.Fprintf(&text, " %24s |", cell)
		}
		text.WriteByte('\n')
		if i == 0 {
			text.WriteString("|---" + strings.Repeat("|---:", len(results)) + "|\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// table returns the cells, line by line.
func table(p plan, results []result) [][]string {
	lines := [][]string{{"admission"}}
	for _, r := range results {
		lines[0] = append(lines[0], r.admission)
		for i, cell := range r.cells(p) {
			if len(lines) <= i+1 {
				lines = append(lines, []string{cell.name})
			}
			lines[i+1] = append(lines[i+1], cell.text)
		}
	}
	return lines
}

type cell struct{ name, text string }

func (r *result) cells(p plan) []cell {
	f := r.figures(p)
	recovered := "not"
	if f.recovered {
		recovered = f.recovery.String()
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	ok, no := only(r.overload, is(served)), only(r.overload, is(refused))
	return []cell{
		{"peak, calls/s", fmt.Sprintf("%.0f", r.peak.served)},
		{"offered, calls/s", fmt.Sprintf("%.0f", f.offered)},
		{"served, calls/s", fmt.Sprintf("%.0f", f.goodput)},
		{"served, of the peak", percent(f.ratio)},
		{"served for each second of CPU, of the peak's", percent(f.worth)},
		{"served: p50, p99", inMs(quantile(ok, .5, took), quantile(ok, .99, took))},
		{"refused; expired; failed; not sent", fmt.Sprintf("%s; %s; %s; %s", percent(share(r.overload, is(refused))),
			percent(share(r.overload, is(expired))), percent(share(r.overload, is(failed))), percent(share(r.overload, is(unsent))))},
		{"refusals: p50, p99, slowest", inMs(quantile(no, .5, answered), quantile(no, .99, answered), quantile(no, 1, answered))},
		{"served of critical, normal, sheddable", byWorth(r.overload)},
		{"served of the critical calls there was room for", percent(r.critical())},
		{"the small caller's", byWorth(only(r.overload, whose(small)))},
		{"the large caller's", byWorth(only(r.overload, whose(large)))},
		{"served of the second method", second(r.overload)},
		{"served, of the works begun", percent(r.useful())},
		{"would have been refused", fmt.Sprintf("%.0f", r.audited)},
		{"served of the small caller, of the large", percent(share(only(r.overload, whose(small)), is(served))) + ", " +
			percent(share(only(r.overload, whose(large)), is(served)))},
		{"probes failed; slowest", fmt.Sprintf("%d of %d; %s", r.probes.failed, r.probes.sent, inMs(r.probes.slowest))},
		{"recovered after", recovered},
		{"served from then on, by worth", byWorth(after(r.calm, p.overload+f.recovery))},
		{"memory before, at most, after, MB", fmt.Sprintf("%.0f, %.0f, %.0f", mb(first.resident), mb(last.top), mb(r.after.resident))},
		{"cold burst of 200: refused, failed; slowest", fmt.Sprintf("%d, %d; %s", count(r.burst, is(refused)),
			len(r.burst)-count(r.burst, is(refused))-count(r.burst, is(served)), inMs(quantile(r.burst, 1, took)))},
		{"the server's core: had, waited for", core(first, last)},
		{"the generator's delay: p50, p99", inMs(quantile(r.overload, .5, lag), quantile(r.overload, .99, lag))},
	}
}

// core tells which share of the time between two looks the service had its core, and waited for it
// while others had it.
func core(from, to usage) string {
	between := to.at.Sub(from.at).Seconds()
	return percent((to.cpu-from.cpu).Seconds()/between) + ", " + percent((to.waited-from.waited).Seconds()/between)
}

// taken returns which share of the core's time that the service wanted others had.
func (r *result) taken() float64 {
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	had, waited := last.cpu-first.cpu, last.waited-first.waited
	return float64(waited) / max(float64(had+waited), 1)
}

func after(calls []call, begin time.Duration) []call {
	return only(calls, func(c call) bool { return c.due >= begin })
}

func byWorth(calls []call) string {
	var parts []string
	for _, w := range []criticality{critical, normal, sheddable} {
		parts = append(parts, percent(share(only(calls, worth(w)), is(served))))
	}
	return strings.Join(parts, ", ")
}

func percent(ratio float64) string { return fmt.Sprintf("%.1f %%", 100*ratio) }

func mb(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

func inMs(times ...time.Duration) string {
	parts := make([]string, len(times))
	for i, t := range times {
		parts[i] = fmt.Sprintf("%.1f", float64(t)/float64(time.Millisecond))
	}
	return strings.Join(parts, ", ") + " ms"
}
