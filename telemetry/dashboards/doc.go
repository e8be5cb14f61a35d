// Package dashboards holds the Grafana dashboards for every service that is built on Paddock. They
// are generated from the metric catalogue, and they read what the rules of package alerts record,
// so both are installed together.
//
//	Service      one service: is it well, which method is not, and why
//	Fleet        all services: which is unwell, who runs which version
//	Delivery     the DORA metrics of each service
//	Bottlenecks  where the time of one service goes, and what its calls wait for
//
// Each panel has a unit, a description and a link to its runbook or to the metrics that it shows.
// The dashboards are in Grafana's classic JSON, which all its versions import.
package dashboards
