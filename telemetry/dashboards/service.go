package dashboards

import c "github.com/betmakers/paddock/internal/catalog"

// service answers for one service: is it well, which method is not, and why.
func service() dashboard {
	return dashboard{
		uid: "paddock-service", title: "Paddock / Service",
		description: "Is the service well, which of its methods is not, and why.",
		variables:   []variable{whichService, whichNamespace},
		rows: []row{
			{title: "In one look", height: 4, panels: serviceNow()},
			{title: "Calls", height: 8, panels: serviceCalls()},
			{title: "Objectives", height: 8, panels: serviceObjectives()},
			{title: "Dependencies", height: 8, panels: serviceDependencies()},
			{title: "Saturation and runtime", height: 8, panels: serviceRuntime()},
		},
	}
}

func serviceNow() []panel {
	calls, failed := count(c.RPCServerCallDuration), count(c.RPCServerCallDuration)+`{error_type!=""}`
	return []panel{
		{
			title: "Ready replicas", kind: "stat", unit: "short", width: 4, reverse: true, warn: 1, bad: 0.5, link: runbook("ChassisServiceDown"),
			description: "Replicas that are ready for traffic. 0 is an outage.",
			queries:     []query{{sum("", c.Ready.Name), "ready"}},
		},
		{
			title: "Alerts", kind: "stat", unit: "short", width: 4, warn: 1, bad: 1, link: "runbooks/README.md",
			description: "Alerts of the service that fire now.",
			queries:     []query{{`count(ALERTS{alertstate="firing", service_name="$service", namespace=~"$namespace"}) or vector(0)`, "firing"}},
		},
		{
			title: "Calls", kind: "stat", unit: "reqps", width: 4, link: entry(c.RPCServerCallDuration),
			description: "Calls for each second, by gRPC and REST.",
			queries:     []query{{sum("", rate(calls)), "calls"}},
		},
		{
			title: "Failures", kind: "stat", unit: "percentunit", width: 4, warn: 0.001, bad: 0.01, link: runbook("ChassisSLOBurnPage"),
			description: "Share of the calls that the service is to blame for. Mistakes of callers do not count.",
			queries:     []query{{share("", failed, calls), "failures"}},
		},
		{
			title: "99th percentile", kind: "stat", unit: "s", width: 4, link: entry(c.RPCServerCallDuration),
			description: "99 of 100 calls took less time.",
			queries:     []query{{p99("", c.RPCServerCallDuration), "p99"}},
		},
		{
			title: "Budget left", kind: "stat", unit: "percentunit", width: 4, reverse: true, warn: 0.5, bad: 0.1, link: runbook("ChassisSLOBurnTicket"),
			description: "What is left of the error budget of 30 days, of the method that has least. Shown down to -100 %.",
			queries:     []query{{"clamp_min(min(slo:budget_remaining:ratio30d" + chosen + "), -1)", "budget"}},
		},
	}
}

func serviceCalls() []panel {
	calls := count(c.RPCServerCallDuration)
	return []panel{
		{
			title: "Calls by method", kind: "timeseries", unit: "reqps", width: 8, link: entry(c.RPCServerCallDuration),
			description: "Calls for each second.",
			queries:     []query{{sum("rpc_method", rate(calls)) + " > 0", "{{rpc_method}}"}},
		},
		{
			title: "Failures by method and kind", kind: "timeseries", unit: "reqps", width: 8, stacked: true, link: runbook("ChassisSLOBurnPage"),
			description: "Failed calls for each second that the service is to blame for, by the code of the failure.",
			queries:     []query{{sum("rpc_method, error_type", rate(calls+`{error_type!=""}`)), "{{rpc_method}} {{error_type}}"}},
		},
		{
			title: "99th percentile by method", kind: "timeseries", unit: "s", width: 8, link: entry(c.RPCServerCallDuration),
			description: "99 of 100 calls took less time. Streams last as long as they are open.",
			queries:     []query{{p99("rpc_method", c.RPCServerCallDuration), "{{rpc_method}}"}},
		},
	}
}

func serviceObjectives() []panel {
	return []panel{
		{
			title: "Burn rate of the last hour", kind: "timeseries", unit: "short", width: 8, warn: 6, bad: 14.4, link: runbook("ChassisSLOBurnPage"),
			description: "How many times faster than allowed the error budget burns. 1 uses it up in 30 days; above 14.4 somebody is paged.",
			queries:     []query{{"slo:burn_rate:ratio1h" + chosen, "{{rpc_method}} {{slo}}"}},
		},
		{
			title: "Budget left by objective", kind: "bargauge", unit: "percentunit", width: 8, reverse: true, warn: 0.5, bad: 0.1, link: runbook("ChassisSLOBurnTicket"),
			description: "What is left of the error budget of 30 days. Below zero the objective is missed. Shown down to -100 %.",
			queries:     []query{{"clamp_min(slo:budget_remaining:ratio30d" + chosen + ", -1)", "{{rpc_method}} {{slo}}"}},
		},
		{
			title: "Refused calls by reason", kind: "timeseries", unit: "reqps", width: 8, stacked: true, link: runbook("ChassisCallsRejected"),
			description: "Calls that were refused before the handler ran, for each second.",
			queries:     []query{{sum("reason", rate(c.RPCRejected.Name)) + " > 0", "{{reason}}"}},
		},
	}
}

func serviceDependencies() []panel {
	return []panel{
		{
			title: "Failed calls to other services", kind: "timeseries", unit: "percentunit", width: 8, warn: 0.1, bad: 0.5, link: runbook("ChassisDependencyDown"),
			description: "Share of the calls through App.Dial that the called service is to blame for, by that service.",
			queries: []query{{share("server_address",
				count(c.RPCClientCallDuration)+`{rpc_status_code=~"UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"}`, count(c.RPCClientCallDuration)), "{{server_address}}"}},
		},
		{
			title: "99th percentile of calls to others", kind: "timeseries", unit: "s", width: 8, link: entry(c.RPCClientCallDuration),
			description: "99 of 100 calls took less time, by the called service or third party.",
			queries: []query{
				{p99("server_address", c.RPCClientCallDuration), "{{server_address}}"},
				{p99("server_address", c.HTTPClientRequestDuration), "{{server_address}} (third party)"},
			},
		},
		{
			title: "Health checks", kind: "table", unit: "short", width: 8, reverse: true, warn: 1, bad: 0.5, link: runbook("ChassisHealthCheckFailing"),
			description: "1 if the check passes on all replicas.",
			words:       map[string]string{"0": "fails", "1": "passes"},
			queries:     []query{{"min by (check) (" + ours(c.HealthCheckUp.Name) + ")", "{{check}}"}},
		},
	}
}

func serviceRuntime() []panel {
	return []panel{
		{
			title: "Processors in use", kind: "timeseries", unit: "short", width: 6, link: "metrics.md#metrics-from-elsewhere",
			description: "Processor seconds for each second, by replica. The limit is GOMAXPROCS.",
			queries: []query{
				{"sum by (instance) (" + ours(rate("process_cpu_seconds_total")) + ")", "{{instance}}"},
				{"max(" + ours("go_sched_gomaxprocs_threads") + ")", "GOMAXPROCS"},
			},
		},
		{
			title: "Memory", kind: "timeseries", unit: "bytes", width: 6, link: "metrics.md#metrics-from-elsewhere",
			description: "Resident memory, by replica, and the limit of the container if there is one.",
			queries: []query{
				{"sum by (instance) (" + ours("process_resident_memory_bytes") + ")", "{{instance}}"},
				{"min(" + ours(c.CgroupMemoryLimit.Name) + ")", "limit"},
			},
		},
		{
			title: "Calls in flight", kind: "timeseries", unit: "short", width: 6, link: entry(c.RPCInFlight),
			description: "Calls and streams that are served now, and calls that admission holds back.",
			queries: []query{
				{sum("rpc_method", c.RPCInFlight.Name) + " > 0", "{{rpc_method}}"},
				{sum("", c.AdmissionQueued.Name), "held back"},
			},
		},
		{
			title: "Goroutines", kind: "timeseries", unit: "short", width: 6, link: "metrics.md#metrics-from-elsewhere",
			description: "Goroutines, by replica. A number that only grows is a leak.",
			queries:     []query{{"sum by (instance) (" + ours("go_goroutines") + ")", "{{instance}}"}},
		},
	}
}
