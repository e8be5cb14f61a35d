package dashboards

import c "github.com/betmakers/paddock/internal/catalog"

// delivery has the five DORA metrics of each service. It ranks nobody.
func delivery() dashboard {
	each := func(title, unit, series, description string, warn, bad float64) panel {
		return panel{
			title: title, kind: "bargauge", unit: unit, width: 8, description: description, link: "delivery.md",
			warn: warn, bad: bad, queries: []query{{series, "{{service_name}}"}},
		}
	}
	return dashboard{
		uid: "paddock-delivery", title: "Paddock / Delivery",
		description: "How changes reach production: the five DORA metrics of 30 days, from what the running builds tell.",
		rows: []row{
			{title: "The last 30 days", height: 7, panels: []panel{
				each("Deployments", "short", "dora:deployments:count30d", "Changes of the build that serves most calls, rollbacks included. Restarts and canaries do not count.", 0, 0),
				each("Change lead time", "s", "dora:change_lead_time_seconds:p50_30d", "From the commit to the majority of calls: the median.", 0, 0),
				each("Change fail rate", "percentunit", "dora:change_fail_rate:ratio30d", "Share of the deployments that were followed by an incident within an hour, or rolled back within a day.", 0.15, 0.3),
			}},
			{title: "When it fails", height: 7, panels: []panel{
				each("Recovery time", "s", "dora:failed_deployment_recovery_seconds:p50_30d", "From the failed deployment to the end of the incident, or to the rollback: the median.", 3600, 86400),
				each("Rework", "percentunit", "dora:deployment_rework_rate:ratio30d", "Share of the deployments that were rollbacks, or made while an incident was open.", 0.15, 0.3),
				{
					title: "Not measured", kind: "table", unit: "short", width: 8, link: runbook("ChassisBuildUnattributed"),
					description: "Builds that do not tell their commit: replicas by service.",
					queries: []query{{
						"count by (service_name, version) (" + c.BuildInfo.Name + " unless on (cluster, namespace, job, instance) " + c.BuildCommitTimestamp.Name + ")", "{{service_name}} {{version}}",
					}},
				},
			}},
			{title: "What happened", height: 8, panels: []panel{
				{
					title: "Share of calls by build", kind: "timeseries", unit: "percentunit", width: 12, link: "delivery.md",
					description: "Which build serves. The one above one half is the deployed one.",
					queries:     []query{{"dora:revision_share:ratio", "{{service_name}} {{revision}}"}},
				},
				{
					title: "Open incidents", kind: "timeseries", unit: "short", width: 12, link: runbook("ChassisSLOBurnPage"),
					description: "1 while an alert with dora=\"incident\" fires.",
					queries:     []query{{"dora:incident:open", "{{service_name}}"}},
				},
			}},
		},
	}
}
