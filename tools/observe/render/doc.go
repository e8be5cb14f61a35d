// Command render shows the dashboards without Grafana. It builds services, starts them, sends them
// calls, deploys a bad build and rolls it back, while Prometheus scrapes them and evaluates the
// rules of telemetry/alerts. Then it evaluates every panel of telemetry/dashboards, and writes them
// as one HTML page:
//
//	go run ./render -out page.html      from tools/observe; needs prometheus and git, and takes five minutes
//	go run ./render -check              compares the delivery metrics and the page with what was planted, as well
//
// Time runs thirty times faster than the rules mean: a minute of theirs is two seconds here.
package main
