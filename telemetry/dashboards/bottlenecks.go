package dashboards

import c "github.com/betmakers/paddock/internal/catalog"

// bottlenecks answers where the time of calls goes, and what they wait for.
func bottlenecks() dashboard {
	const both = "{{kind}} {{resource}}"
	return dashboard{
		uid: "paddock-bottlenecks", title: "Paddock / Bottlenecks",
		description: "Where the time of the service's calls goes, and what they wait for.",
		variables:   []variable{whichService, whichNamespace},
		rows: []row{
			{title: "Time", height: 8, panels: []panel{
				{
					title: "Where the time of calls goes", kind: "timeseries", unit: "short", width: 12, stacked: true, link: entry(c.RPCTime),
					description: "Seconds of calls for each second, by what they were spent on: the number of calls that are in it at any time. `self` is the service's own code.",
					queries:     []query{{sum("component", rate(c.RPCTime.Name)) + " > 0", "{{component}}"}},
				},
				{
					title: "Most time, by method and component", kind: "bargauge", unit: "short", width: 12, link: entry(c.RPCTime),
					description: "Seconds for each second: the ten largest.",
					queries:     []query{{"topk(10, " + sum("rpc_method, component", rate(c.RPCTime.Name)) + " > 0)", "{{rpc_method}} {{component}}"}},
				},
			}},
			{title: "Bounded resources", height: 8, panels: []panel{
				{
					title: "Waiting", kind: "timeseries", unit: "short", width: 8, warn: 0.5, bad: 1, link: runbook("ChassisResourceSaturated"),
					description: "How many wait on average: seconds of waiting for each second. The highest line is the bottleneck.",
					queries:     []query{{sum("kind, resource", rate(c.ResourceWait.Name)), both}},
				},
				{
					title: "In use", kind: "bargauge", unit: "percentunit", width: 8, warn: 0.7, bad: 0.95, link: entry(c.ResourceInUse),
					description: "How much of the limit is in use now.",
					queries:     []query{{sum("kind, resource", c.ResourceInUse.Name) + " / " + sum("kind, resource", c.ResourceLimit.Name), both}},
				},
				{
					title: "Refused", kind: "timeseries", unit: "reqps", width: 8, link: runbook("ChassisCallsShed"),
					description: "Refusals for each second because the resource was overloaded.",
					queries:     []query{{sum("kind, resource", rate(c.ResourceRejected.Name)), both}},
				},
			}},
			{title: "Processors", height: 8, panels: []panel{
				{
					title: "Held back by admission", kind: "timeseries", unit: "short", width: 8, link: entry(c.AdmissionHolding),
					description: "Replicas that hold calls back because goroutines wait for processors, and the calls that they hold back.",
					queries:     []query{{sum("", c.AdmissionHolding.Name), "replicas"}, {sum("", c.AdmissionQueued.Name), "calls"}},
				},
				{
					title: "Processors in use", kind: "timeseries", unit: "short", width: 8, link: "metrics.md#metrics-from-elsewhere",
					description: "Processor seconds for each second, and the processors that there are.",
					queries:     []query{{"sum(" + ours(rate("process_cpu_seconds_total")) + ")", "in use"}, {"sum(" + ours("go_sched_gomaxprocs_threads") + ")", "GOMAXPROCS"}},
				},
				{
					title: "Stopped by the CPU limit", kind: "timeseries", unit: "percentunit", width: 8, warn: 0.1, bad: 0.25, link: runbook("ChassisProcessorThrottled"),
					description: "Share of the scheduling periods in which the container had used up its limit.",
					queries:     []query{{sum("", rate(c.CgroupCPUThrottledPeriods.Name)) + " / " + sum("", rate(c.CgroupCPUPeriods.Name)), "throttled"}},
				},
			}},
		},
	}
}
