package dashboards

import c "github.com/betmakers/paddock/internal/catalog"

// fleet answers for all services: which is unwell, and who runs which version.
func fleet() dashboard {
	return dashboard{
		uid: "paddock-fleet", title: "Paddock / Fleet",
		description: "Which service is unwell, and who runs which version.",
		rows: []row{
			{title: "In one look", height: 4, panels: fleetNow()},
			{title: "Services", height: 8, panels: fleetServices()},
			{title: "Versions", height: 8, panels: fleetVersions()},
		},
	}
}

func fleetNow() []panel {
	return []panel{
		{
			title: "Services", kind: "stat", unit: "short", width: 6, link: entry(c.BuildInfo),
			description: "Services that were seen within the hour.",
			queries:     []query{{"count(count by (cluster, namespace, service_name) (chassis:process:service))", "services"}},
		},
		{
			title: "Services that are down", kind: "stat", unit: "short", width: 6, warn: 1, bad: 1, link: runbook("ChassisServiceDown"),
			description: "Services without a ready replica.",
			queries:     []query{{`count(ALERTS{alertname="ChassisServiceDown", alertstate="firing"}) or vector(0)`, "down"}},
		},
		{
			title: "Pages", kind: "stat", unit: "short", width: 6, warn: 1, bad: 1, link: "runbooks/README.md",
			description: "Alerts that fire now and that somebody is paged for.",
			queries:     []query{{`count(ALERTS{alertstate="firing", severity="page"}) or vector(0)`, "pages"}},
		},
		{
			title: "Behind", kind: "stat", unit: "short", width: 6, warn: 1, bad: 5, link: runbook("ChassisBehindFleet"),
			description: "Services that run a chassis older than one that others have run for two weeks.",
			queries:     []query{{`count(ALERTS{alertname="ChassisBehindFleet", alertstate="firing"}) or vector(0)`, "behind"}},
		},
	}
}

func fleetServices() []panel {
	calls := rate(count(c.RPCServerCallDuration))
	failed := rate(count(c.RPCServerCallDuration) + `{error_type!=""}`)
	by := "sum by (service_name) ("
	return []panel{
		{
			title: "Alerts that fire", kind: "table", unit: "short", width: 8, warn: 1, bad: 2, link: "runbooks/README.md",
			description: "Each has a runbook.",
			queries:     []query{{`count by (service_name, alertname, severity) (ALERTS{alertstate="firing"})`, "{{service_name}} {{alertname}}"}},
		},
		{
			title: "Failures by service", kind: "timeseries", unit: "percentunit", width: 8, link: runbook("ChassisSLOBurnPage"),
			description: "Share of the calls that the service is to blame for.",
			queries: []query{{
				"(" + by + named(failed) + ") or " + by + named(calls) + ") * 0) / " + by + named(calls) + ")", "{{service_name}}",
			}},
		},
		{
			title: "Calls by service", kind: "timeseries", unit: "reqps", width: 8, link: entry(c.RPCServerCallDuration),
			description: "Calls for each second.",
			queries:     []query{{by + named(calls) + ")", "{{service_name}}"}},
		},
	}
}

func fleetVersions() []panel {
	return []panel{
		{
			title: "Who runs what", kind: "table", unit: "short", width: 12, link: entry(c.BuildInfo),
			description: "Replicas by service, its version and the version of Paddock.",
			queries:     []query{{"count by (namespace, service_name, version, chassis_version, go_version) (" + c.BuildInfo.Name + ")", "replicas"}},
		},
		{
			title: "Versions of Paddock", kind: "timeseries", unit: "short", width: 12, stacked: true, link: runbook("ChassisBehindFleet"),
			description: "Services by the version of Paddock that they run.",
			queries:     []query{{"chassis:fleet_version:services", "{{chassis_version}}"}},
		},
	}
}
