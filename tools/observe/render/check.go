package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// compare returns what differs from what was planted.
func compare(ctx context.Context, p *prometheus, t times) (failures []error) {
	hello := `{service_name="hello"}`
	all := fmt.Sprintf("[%ds]", int(t.end.Sub(t.start).Seconds())+60)
	for _, c := range []struct {
		what, expr string
		want       float64
		within     float64
	}{
		{"forward deployments", `count_over_time(dora:deployment:event{service_name="hello", kind="forward"}` + all + `)`, 2, 0},
		{"rollbacks", `count_over_time(dora:deployment:event{service_name="hello", kind="rollback"}` + all + `)`, 1, 0},
		{"deployments of frontdesk", `sum(dora:deployments:count30d{service_name="frontdesk"})`, 0, 0},
		{"deployments", "dora:deployments:count30d" + hello, 3, 0},
		{"failed deployments", "count_over_time(dora:failed_deployment:event" + hello + all + ")", 1, 0},
		{"change fail rate", "dora:change_fail_rate:ratio30d" + hello, 0.5, 0},
		{"rework rate", "dora:deployment_rework_rate:ratio30d" + hello, 1.0 / 3, 1e-9},
		{"recoveries", "count_over_time(dora:failed_deployment_recovery:seconds" + hello + all + ")", 1, 0},
		// The majority comes while a deployment rolls, and 4 s later at most, which is what the
		// rules bridge.
		{"lead time of the bad deployment", "max_over_time(dora:change_lead_time:seconds" + hello + all + ")", mid(t.commits["v2"], t.bad, t.bad1), half(t.bad, t.bad1)},
		{"lead time of the good deployment", "min_over_time(dora:change_lead_time:seconds" + hello + all + ")", mid(t.commits["v3"], t.good, t.good1), half(t.good, t.good1)},
		{"pages before the bad deployment", `count(max_over_time(ALERTS{alertname="ChassisSLOBurnPage", service_name="hello", slo="availability"}[` + ago(t.start, t.bad) + `] offset ` + ago(t.bad, t.end) + `)) or vector(0)`, 0, 0},
		{"pages in the midst of it", `count(count by (service_name) (max_over_time(ALERTS{alertname="ChassisSLOBurnPage", service_name="hello", slo="availability", alertstate="firing"}[` + ago(t.bad, t.rolledBack) + `] offset ` + ago(t.rolledBack, t.end) + `)))`, 1, 0},
		{"pages at the end", `count(ALERTS{alertname="ChassisSLOBurnPage", service_name="hello", slo="availability", alertstate="firing"}) or vector(0)`, 0, 0},
	} {
		got, err := p.at(ctx, c.expr, t.end)
		switch {
		case err != nil:
			failures = append(failures, fmt.Errorf("%s: %w", c.what, err))
		case len(got) != 1:
			failures = append(failures, fmt.Errorf("%s: got %v, want one value: %s", c.what, got, c.expr))
		case math.Abs(got[0].Value.value-c.want) > c.within:
			failures = append(failures, fmt.Errorf("%s: got %g, want %g ± %g", c.what, got[0].Value.value, c.want, c.within))
		default:
			fmt.Printf("%-36s %g\n", c.what, got[0].Value.value)
		}
	}
	if n := strings.Count(p.log.String(), "Evaluating rule failed"); n > 0 {
		failures = append(failures, fmt.Errorf("%d evaluations of rules failed: %s", n, p.log))
	}
	return failures
}

func ago(from, to time.Time) string { return fmt.Sprintf("%ds", int(to.Sub(from).Seconds())) }

// mid is the lead time of a deployment that rolled from one moment to another, and half how far off
// it may be.
func mid(commit, from, to time.Time) float64 {
	return from.Add(to.Sub(from)/2).Sub(commit).Seconds() + 2
}

func half(from, to time.Time) float64 { return to.Sub(from).Seconds()/2 + 4 }
