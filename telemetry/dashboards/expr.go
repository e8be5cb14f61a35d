package dashboards

import (
	"fmt"

	"github.com/betmakers/paddock/internal/catalog"
)

// chosen selects the series of the service that the reader has chosen, of those that have its name.
const chosen = `{service_name="$service", namespace=~"$namespace"}`

// ours keeps of the series of processes those of the chosen service, and gives them its name.
func ours(expr string) string {
	return expr + ` * on (cluster, namespace, job, instance) group_left (service_name) chassis:process:service` + chosen
}

// named gives the series of processes, of all services, the name of their service.
func named(expr string) string {
	return expr + ` * on (cluster, namespace, job, instance) group_left (service_name) chassis:process:service`
}

func rate(series string) string { return "rate(" + series + "[$__rate_interval])" }

// sum adds up the series of the chosen service.
func sum(by, expr string) string {
	if by == "" {
		return "sum(" + ours(expr) + ")"
	}
	return "sum by (" + by + ") (" + ours(expr) + ")"
}

// share is the part of a rate among another, 0 where there is none of it. Both are grouped by the
// same label.
func share(by, part, of string) string {
	return fmt.Sprintf("(%s or %s * 0) / %s", sum(by, rate(part)), sum(by, rate(of)), sum(by, rate(of)))
}

// p99 is the 99th percentile of a histogram, for each value of by.
func p99(by string, m catalog.Metric) string {
	if by != "" {
		by = ", " + by
	}
	return fmt.Sprintf("histogram_quantile(0.99, %s) >= 0", sum("le"+by, rate(m.Name+"_bucket"))) // NaN without calls
}

func count(m catalog.Metric) string { return m.Name + "_count" }

// entry is the link to a metric of the catalogue.
func entry(m catalog.Metric) string { return "metrics.md#" + m.Name }

func runbook(alert string) string { return "runbooks/" + alert + ".md" }

var (
	whichService   = variable{name: "service", series: "chassis:process:service", label: "service_name"}
	whichNamespace = variable{name: "namespace", series: "chassis:process:service", label: "namespace", all: true}
)
