// Package alerts holds the Prometheus rules and the runbooks for every service that is built on
// Paddock: one fixed set, which a platform team installs once. The rules read the objectives of
// methods, the builds and the limits from the metrics of the services, so nothing in them is
// written for one service.
//
// # What Prometheus must do
//
// A process is known by the labels job and instance, and a service by service_name, which the
// chassis exports. The labels cluster and namespace keep environments apart where the scrape sets
// them. Without either, each environment needs a Prometheus of its own. Scrape at least every 30
// seconds: shares of calls are taken over 3 minutes.
//
// The rules for deployments keep state: each evaluation compares with the one before. They cannot
// be computed for the past, and their windows of 30 days need as much retention of the dora:* and
// slo:* series, of which there are some tens for each service.
//
// # Severity
//
// An alert with severity="page" is felt by users now, or will be within hours. One with
// severity="ticket" waits for the morning. Each has the annotations summary and runbook_url. An
// alert with dora="incident" counts as an incident for the delivery metrics, also one of your own
// that has the labels of a service.
package alerts
