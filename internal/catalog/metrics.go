package catalog

// durationBuckets are the boundaries that the OpenTelemetry semantic conventions advise for RPC and
// HTTP durations.
var durationBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

var (
	resourceKind  = Label{"kind", "a fixed list: `declared` (App.Resource), `admission`, `processors`, `connections` (of a port), `streams` (calls on the gRPC port), `http_client` (connections to a third party)"}
	resource      = Label{"resource", "names that the service declares with App.Resource or passes to App.HTTPClient; `calls` for admission; `processors`; `grpc` and `http` for ports"}
	system        = Label{"rpc_system_name", "`grpc`"}
	check         = Label{"check", "names of the registered checks"}
	worker        = Label{"worker", "names that the service passes to App.Go or App.GoRequired"}
	rpcMethod     = Label{"rpc_method", "full names of the registered methods, `package.Service/Method`, and `_OTHER` for any other"}
	methodOrRoute = Label{"rpc_method", rpcMethod.Values + "; patterns that the service passes to App.Handle"}
	linkedMethod  = Label{"rpc_method", "full names of the methods linked into the binary, `package.Service/Method`, and `_OTHER` for any other"}
	dialledName   = Label{"server_address", "names that the service passes to App.Dial"}
	httpPeer      = Label{"server_address", "names that the service passes to App.HTTPClient, never hosts"}

	sloKind   = Label{"slo", "`availability`, `latency`"}
	errorType = Label{"error_type", "empty, or the status code if the server is at fault: `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`"}
)

// The metrics of the chassis, in the order of the documentation.
var (
	RPCServerCallDuration = Metric{
		Name: "rpc_server_call_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help:   "Duration of served calls, gRPC and REST, refused calls included. Health checks and reflection are left out.",
		Labels: []Label{rpcMethod, {"rpc_status_code", "the 17 gRPC codes by name"}, errorType, system},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCCalls = Metric{
		Name: "chassis_rpc_calls_total", Type: Counter,
		Help:   "Served calls by status code, counted as in rpc_server_call_duration_seconds. Every code of a registered method starts at zero, so that increase() sees the first failure.",
		Labels: []Label{rpcMethod, {"rpc_status_code", "the 17 gRPC codes by name"}, errorType},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCCallerCalls = Metric{
		Name: "chassis_rpc_caller_calls_total", Type: Counter,
		Help: "Served calls by calling service. Health checks and reflection are left out.",
		Labels: []Label{
			{"caller", "names of services of the own trust domain, as their certificates prove them: the first 50, and `_OTHER` for further ones and for other trust domains; `_USER` for callers with a token; empty for callers that prove nothing"},
			{"result", "`admitted`; `refused`: the method does not list the caller; `audited`: let in by audit mode, and would have been refused"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCTime = Metric{
		Name: "chassis_rpc_time_seconds_total", Type: Counter, Unit: "seconds",
		Help:   "Time of served calls by what they spent it on. Each moment of a call counts once, for the newest of what was going on, so the components of a method add up to the sum of its durations.",
		Labels: []Label{rpcMethod, {"component", "`self`: the service's own code and all that is not listed here; `queue:processors`: held back by admission; `queue:` and `resource:` with the name of a declared resource: waiting for it, holding it; `rpc:` with a name that the service passes to App.Dial; `http:` with a name passed to App.HTTPClient; `stream_receive` and `stream_send`: waiting for the client of a stream"}},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCMessageSize = Metric{
		Name: "chassis_rpc_message_size_bytes", Type: Histogram, Unit: "bytes", Buckets: []float64{1 << 10, 16 << 10, 256 << 10, 2 << 20},
		Help:   "Size of the messages of gRPC calls before compression. REST is left out.",
		Labels: []Label{rpcMethod, {"direction", "`received`, `sent`"}},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCDeprecated = Metric{
		Name: "chassis_rpc_deprecated", Type: Gauge,
		Help:   "1 for each registered method that its proto declares deprecated, or its service. Multiplied with chassis_rpc_calls_total it shows which are still in use.",
		Labels: []Label{rpcMethod},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCInFlight = Metric{
		Name: "chassis_rpc_in_flight", Type: Gauge,
		Help:   "Calls that are being served now.",
		Labels: []Label{rpcMethod},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientCallDuration = Metric{
		Name: "rpc_client_call_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of calls to other services through App.Dial, retries included.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"rpc_status_code", "the 17 gRPC codes by name"},
			{"error_type", "empty for `OK`, else the status code"},
			system,
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientRefused = Metric{
		Name: "chassis_rpc_client_refused_total", Type: Counter,
		Help: "Calls to other services that were not sent because their deadline left no time.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"reason", "`spent`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientHedges = Metric{
		Name: "chassis_rpc_client_hedges_total", Type: Counter,
		Help: "Second attempts of hedged calls, by result.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"result", "`won`: it answered first; `lost`: the first attempt answered first; `withheld`: not sent, because more than a tenth of the calls would have been sent twice"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientAttempts = Metric{
		Name: "chassis_rpc_client_attempts_total", Type: Counter,
		Help:   "Attempts that were sent to replicas of other services. More than the calls if some were retried or hedged.",
		Labels: []Label{linkedMethod, dialledName, {"rpc_status_code", "the 17 gRPC codes by name"}},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientRetries = Metric{
		Name: "chassis_rpc_client_retries_total", Type: Counter,
		Help:   "Retries of failed attempts, by the code of the failed attempt.",
		Labels: []Label{linkedMethod, dialledName, {"reason", "the 17 gRPC codes by name; in practice `UNAVAILABLE`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientEjections = Metric{
		Name: "chassis_rpc_client_ejections_total", Type: Counter,
		Help:   "Times that a replica of another service was taken out of use because it failed, or was slow, while the other replicas did well.",
		Labels: []Label{dialledName, {"reason", "`failures`, `latency`"}},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCClientEjected = Metric{
		Name: "chassis_rpc_client_ejected", Type: Gauge,
		Help:   "Replicas of other services that are out of use now.",
		Labels: []Label{dialledName},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCRejected = Metric{
		Name: "chassis_rpc_rejected_total", Type: Counter,
		Help:   "Calls that were refused before the handler ran or because a declared resource was overloaded, and calls that were ended by a stop or by the end of the caller's certificate or token. Requests of App.Handle included.",
		Labels: []Label{methodOrRoute, {"reason", "a fixed list: `unknown_method`, `malformed`, `too_large`, `deadline`, `overload`, `unauthenticated`, `rate_limited`, `denied`, `invalid`, `fault`, `draining`, `shutdown`, `unaudited`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	FaultsInjected = Metric{
		Name: "chassis_faults_injected_total", Type: Counter,
		Help:   "Faults that the rules in force have injected on purpose.",
		Labels: []Label{rpcMethod, {"fault", "`delay`, `abort`, `reset`, `partial`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	AdmissionHolding = Metric{
		Name: "chassis_admission_holding", Type: Gauge,
		Help:  "1 while calls are held back because goroutines wait for processors, else 0. In report mode: 1 while calls would be held back.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionRunning = Metric{
		Name: "chassis_admission_running", Type: Gauge,
		Help:  "Calls and streams that run now, without health checks and reflection.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionQueued = Metric{
		Name: "chassis_admission_queued", Type: Gauge,
		Help:  "Calls that are held back now.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionWait = Metric{
		Name: "chassis_admission_wait_seconds_total", Type: Counter, Unit: "seconds",
		Help:  "Total time that calls were held back.",
		Since: "0.1.0", Stability: Stable,
	}
	ResourceLimit = Metric{
		Name: "chassis_resource_limit", Type: Gauge,
		Help:   "How many can use the bounded resource at once: calls of a declared resource, GOMAXPROCS of the processors, connections of a port or to one host of a third party, calls that the open gRPC connections can carry. Absent without a limit.",
		Labels: []Label{resourceKind, resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceInUse = Metric{
		Name: "chassis_resource_in_use", Type: Gauge,
		Help:   "How many use the bounded resource now. Of the processors: goroutines that run.",
		Labels: []Label{resourceKind, resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceQueued = Metric{
		Name: "chassis_resource_queued", Type: Gauge,
		Help:   "How many wait for the bounded resource now. Of the processors: goroutines that could run. Absent for ports: what they have no room for is refused, or waits in the client.",
		Labels: []Label{resourceKind, resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceWait = Metric{
		Name: "chassis_resource_wait_seconds_total", Type: Counter, Unit: "seconds",
		Help:   "Total time that was waited for the bounded resource. Of the processors: the scheduling latency of all goroutines, from a histogram. Absent for ports.",
		Labels: []Label{resourceKind, resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceRejected = Metric{
		Name: "chassis_resource_rejected_total", Type: Counter,
		Help:   "How many were refused the bounded resource. Absent where none is refused.",
		Labels: []Label{resourceKind, resource},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCAudited = Metric{
		Name: "chassis_rpc_audited_total", Type: Counter,
		Help:   "Calls that were let in because authorization is in audit mode or admission in report mode, and would have been refused.",
		Labels: []Label{methodOrRoute, {"reason", "`unauthenticated`, `denied`, `overload`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	PolicyOverridden = Metric{
		Name: "chassis_policy_overridden", Type: Gauge,
		Help:   "1 for each method whose policy CHASSIS_POLICY_OVERRIDES replaces.",
		Labels: []Label{rpcMethod},
		Since:  "0.1.0", Stability: Stable,
	}
	ProtectionOff = Metric{
		Name: "chassis_protection_off", Type: Gauge,
		Help:   "1 for each protection that is switched off, by a setting or, for faults, at run time; else 0.",
		Labels: []Label{{"protection", "a fixed list: `authorization`, `admission`, `mtls`, `rest_tls`, `production` (development settings on an address that other machines can reach), `faults` (faults are injected)"}},
		Since:  "0.1.0", Stability: Stable,
	}
	SLOObjective = Metric{
		Name: "chassis_slo_objective_ratio", Type: Gauge, Unit: "ratio",
		Help:   "Share of good calls that the method's objective promises, from 0 to 1.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	SLORequests = Metric{
		Name: "chassis_slo_requests_total", Type: Counter,
		Help:   "Calls that count for an objective. Errors of the caller do not count, and neither do calls whose caller gave up too early.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	SLOBadRequests = Metric{
		Name: "chassis_slo_bad_requests_total", Type: Counter,
		Help:   "Calls that burn the error budget of an objective: the service failed, or was too slow.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	HTTPServerRequestDuration = Metric{
		Name: "http_server_request_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of HTTP requests served on the REST port.",
		Labels: []Label{
			{"http_request_method", "the nine methods of RFC 9110 and 5789, and `_OTHER`"},
			{"http_route", "registered patterns; empty if none matched"},
			{"http_response_status_code", "the status codes that net/http knows; any other counts as 500"},
			{"error_type", "empty, or the status code from 500 on"},
			{"url_scheme", "`http`, `https`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	HTTPRequests = Metric{
		Name: "chassis_http_requests_total", Type: Counter,
		Help: "Requests to routes of App.Handle and App.HandlePublic. Every class of a route starts at zero, so that increase() sees the first failure. REST calls of methods are in chassis_rpc_calls_total.",
		Labels: []Label{
			{"http_route", "patterns that the service passes to App.Handle and App.HandlePublic"},
			{"status_class", "`1xx`, `2xx`, `3xx`, `4xx`, `5xx`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	HTTPClientRequestDuration = Metric{
		Name: "http_client_request_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of requests to third parties through App.HTTPClient, until the response body is read or closed, retries included.",
		Labels: []Label{
			{"http_request_method", "the nine methods of RFC 9110 and 5789, and `_OTHER`"},
			httpPeer,
			{"http_response_status_code", "the status codes that net/http knows; any other counts as the first of its class; empty without a response"},
			{"error_type", "empty, or the status code from 400 on, or a fixed list: `cancelled`, `timeout`, `dns`, `connect`, `tls`, `connection_lost`, `_OTHER`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	HTTPClientRetries = Metric{
		Name: "chassis_http_client_retries_total", Type: Counter,
		Help:   "Retries of requests to third parties, by the failure of the attempt before.",
		Labels: []Label{httpPeer, {"reason", "`connection`, `429`, `502`, `503`, `504`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HTTPClientRetriesWithheld = Metric{
		Name: "chassis_http_client_retries_withheld_total", Type: Counter,
		Help:   "Requests to third parties that were not retried because the retry budget was used up.",
		Labels: []Label{httpPeer},
		Since:  "0.1.0", Stability: Stable,
	}
	Panics = Metric{
		Name: "chassis_panics_total", Type: Counter,
		Help:   "Recovered panics, by place.",
		Labels: []Label{{"where", "`rpc`, `http`, `worker`, `health`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	BuildInfo = Metric{
		Name: "chassis_build_info", Type: Gauge,
		Help: "Always 1. The labels have the versions of the running program.",
		Labels: []Label{
			{"service_name", "the service's name"}, {"version", "the service's module version or VCS revision"},
			{"revision", "VCS revision of the build"}, {"chassis_version", "version of Paddock"}, {"go_version", "version of Go"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	BuildCommitTimestamp = Metric{
		Name: "chassis_build_commit_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Time of the commit that was built, in Unix time. Absent if the build has no version control data.",
		Since: "0.1.0", Stability: Stable,
	}
	StartTimestamp = Metric{
		Name: "chassis_start_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Time at which the start began, in Unix time.",
		Since: "0.1.0", Stability: Stable,
	}
	Ready = Metric{
		Name: "chassis_ready", Type: Gauge,
		Help:  "1 while the service is ready for traffic, else 0.",
		Since: "0.1.0", Stability: Stable,
	}
	Phase = Metric{
		Name: "chassis_phase", Type: Gauge,
		Help:   "1 for the current phase of the service, 0 for the others.",
		Labels: []Label{{"phase", "`starting`, `serving`, `draining`, `stopping`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	LifecycleStepDuration = Metric{
		Name: "chassis_lifecycle_step_duration_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Duration of each step of the start and the stop.",
		Labels: []Label{{"step", "the steps of chassis.Step"}},
		Since:  "0.1.0", Stability: Stable,
	}
	WorkerRestarts = Metric{
		Name: "chassis_worker_restarts_total", Type: Counter,
		Help:   "Restarts of a worker that failed or panicked.",
		Labels: []Label{worker},
		Since:  "0.1.0", Stability: Stable,
	}
	WorkerUp = Metric{
		Name: "chassis_worker_up", Type: Gauge,
		Help:   "1 while the worker runs, or after it has returned without an error; 0 while it waits for a restart, and after a failure that ended it.",
		Labels: []Label{worker},
		Since:  "0.1.0", Stability: Stable,
	}
	WorkerLastSuccess = Metric{
		Name: "chassis_worker_last_success_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Last time, in Unix time, at which the worker had run for a minute without a failure, or had returned without an error. Before the first: when it was started.",
		Labels: []Label{worker},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckUp = Metric{
		Name: "chassis_health_check_up", Type: Gauge,
		Help:   "1 if the health check passes, 0 if it fails. A passing check fails after FailAfter failures in a row, a failing one passes after PassAfter successes.",
		Labels: []Label{check},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDegraded = Metric{
		Name: "chassis_health_check_degraded", Type: Gauge,
		Help:   "1 while the health check passes although something is wrong, such as a lost dependency; else 0.",
		Labels: []Label{check},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDuration = Metric{
		Name: "chassis_health_check_duration_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Duration of the last run of the health check.",
		Labels: []Label{check},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckInfo = Metric{
		Name: "chassis_health_check_info", Type: Gauge,
		Help:   "Always 1. The label tells what a failure of the health check means.",
		Labels: []Label{check, {"kind", "`hard`: the service is not ready; `soft`: it stays ready; `dependency`: of App.Dial, it stays ready; `required_dependency`: of App.DialRequired, it is not ready unless too few instances would be left"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CertificateNotAfter = Metric{
		Name: "chassis_certificate_not_after_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Expiry of the certificate that the service uses, in Unix time.",
		Since: "0.1.0", Stability: Stable,
	}
	CertificateChainNotAfter = Metric{
		Name: "chassis_certificate_chain_not_after_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Earliest expiry of the certificates above the service's own, in Unix time.",
		Labels: []Label{{"part", "`intermediate`: sent with the own certificate, absent if there is none; `authority`: those that the own certificate can be verified with, of which the last to expire counts; `trusted`: all authorities that certificates of peers are verified with"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CertificateReloads = Metric{
		Name: "chassis_certificate_reloads_total", Type: Counter,
		Help:   "Replacements of the certificate or the trusted authorities, by result. After an error the last good ones stay in use.",
		Labels: []Label{{"result", "`ok`, `error`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	TLSHandshakeErrors = Metric{
		Name: "chassis_tls_handshake_errors_total", Type: Counter,
		Help:   "Failed or refused TLS handshakes on the ports of the service.",
		Labels: []Label{{"reason", "a fixed list: `no_tls`, `version`, `no_certificate`, `unknown_authority`, `expired`, `revoked`, `bad_certificate`, `rejected_by_peer`, `timeout`, `other`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	ConnectionsRefused = Metric{
		Name: "chassis_connections_refused_total", Type: Counter,
		Help:   "Connections that were closed at once because a limit of connections was reached.",
		Labels: []Label{{"port", "`grpc`, `http`"}, {"reason", "`total`: the limit of the port, `address`: the limit of one client address"}},
		Since:  "0.1.0", Stability: Stable,
	}
	LogLinesDropped = Metric{
		Name: "chassis_log_lines_dropped_total", Type: Counter,
		Help:   "Log lines that were lost because the sink was too slow or returned an error.",
		Labels: []Label{{"sink", "`stdout`, `otlp`, the name of one of Service.LogSinks, or `handler` for telemetry.Config.LogHandlers"}},
		Since:  "0.1.0", Stability: Stable,
	}
	AuditRecords = Metric{
		Name: "chassis_audit_records_total", Type: Counter,
		Help:   "Records of the audit log, by result. Absent if CHASSIS_AUDIT_LOG is off.",
		Labels: []Label{{"result", "`written`; `dropped`: the sink did not write and the buffer was full, or the service ended first"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CollectorFailures = Metric{
		Name: "chassis_collector_failures_total", Type: Counter,
		Help:   "Failures of the service's own collectors. The scrape lacks their series, in whole or in part.",
		Labels: []Label{{"reason", "`panic`, `exit` (it ended its goroutine), `timeout`, `too_many` (series), `invalid` (series)"}},
		Since:  "0.1.0", Stability: Stable,
	}
	SpansDropped = Metric{
		Name: "chassis_spans_dropped_total", Type: Counter,
		Help:   "Sampled spans that did not reach the collector.",
		Labels: []Label{{"reason", "`queue_full`, `export_failed`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	SpansExported = Metric{
		Name: "chassis_spans_exported_total", Type: Counter,
		Help:  "Sampled spans that the collector accepted.",
		Since: "0.1.0", Stability: Stable,
	}
)

// More metrics of the process and how it runs.
var (
	SettingsInfo = Metric{
		Name: "chassis_settings_info", Type: Gauge,
		Help: "Always 1. The labels have the settings that decide what protects the service.",
		Labels: []Label{
			{"environment", "`development`, `production`"},
			{"authorization", "`enforce`, `audit`"},
			{"admission", "`on`, `off`, `report`"},
			{"mtls", "`spiffe`, `files`, `development`, `off`"},
			{"audit_log", "`off`, `denied`, `all`"},
			{"settings_hash", "12 hexadecimal digits of a SHA-256 over the names and values of all settings, without the values of secret ones: one value for each run"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	LogLevel = Metric{
		Name: "chassis_log_level", Type: Gauge,
		Help:  "Lowest level that is logged now: -4 is DEBUG, 0 INFO, 4 WARN, 8 ERROR.",
		Since: "0.1.0", Stability: Stable,
	}
	FaultsInForce = Metric{
		Name: "chassis_faults_in_force", Type: Gauge,
		Help:  "Rules that inject faults now.",
		Since: "0.1.0", Stability: Stable,
	}
	LastRunInfo = Metric{
		Name: "chassis_last_run_info", Type: Gauge,
		Help:   "Always 1. The label tells how the run before this one ended. Absent at the first run, and unless CHASSIS_RUN_FILE is set.",
		Labels: []Label{{"reason", "`stopped`; `calls_cut`: it stopped, but calls outlived the time for it; `failed`: the start, a worker or the stop failed; `killed`: it noted no end, as after SIGKILL, a crash or a lack of memory"}},
		Since:  "0.1.0", Stability: Stable,
	}
	LastRunExitCode = Metric{
		Name: "chassis_last_run_exit_code", Type: Gauge,
		Help:  "Exit code of the run before this one. Absent like chassis_last_run_info, and if that run was killed.",
		Since: "0.1.0", Stability: Stable,
	}
	LastRunCallsCut = Metric{
		Name: "chassis_last_run_calls_cut", Type: Gauge,
		Help:  "Calls and requests that the stop of the run before this one has cut. Absent like chassis_last_run_info, and if that run was killed.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupMemoryLimit = Metric{
		Name: "chassis_cgroup_memory_limit_bytes", Type: Gauge, Unit: "bytes",
		Help:  "Memory limit of the container, the least of its cgroup and those above. Absent without a limit, and outside of Linux.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupMemoryUsage = Metric{
		Name: "chassis_cgroup_memory_usage_bytes", Type: Gauge, Unit: "bytes",
		Help:  "Memory in use in the cgroup that has the limit. Absent like chassis_cgroup_memory_limit_bytes.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupCPULimit = Metric{
		Name: "chassis_cgroup_cpu_limit", Type: Gauge,
		Help:  "Processors that the container may use, such as 1.5. Absent without a limit, and outside of Linux.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupCPUPeriods = Metric{
		Name: "chassis_cgroup_cpu_periods_total", Type: Counter,
		Help:  "Scheduling periods in which the container had work, as the kernel counts them. Absent like chassis_cgroup_cpu_limit.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupCPUThrottledPeriods = Metric{
		Name: "chassis_cgroup_cpu_throttled_periods_total", Type: Counter,
		Help:  "Scheduling periods in which the container had used up its limit and was stopped. Absent like chassis_cgroup_cpu_limit.",
		Since: "0.1.0", Stability: Stable,
	}
	CgroupCPUThrottled = Metric{
		Name: "chassis_cgroup_cpu_throttled_seconds_total", Type: Counter, Unit: "seconds",
		Help:  "Total time that the container's tasks were stopped because of its limit. Absent like chassis_cgroup_cpu_limit.",
		Since: "0.1.0", Stability: Stable,
	}
)

// All returns every entry, in the order of the documentation.
func All() []Metric {
	return []Metric{
		RPCServerCallDuration, RPCCalls, RPCInFlight, RPCCallerCalls, RPCTime, RPCMessageSize, RPCDeprecated,
		RPCClientCallDuration, RPCClientAttempts, RPCClientRetries, RPCClientRefused, RPCClientHedges,
		RPCClientEjections, RPCClientEjected, RPCRejected, FaultsInjected, RPCAudited,
		AdmissionHolding, AdmissionRunning, AdmissionQueued, AdmissionWait,
		ResourceLimit, ResourceInUse, ResourceQueued, ResourceWait, ResourceRejected, PolicyOverridden, ProtectionOff,
		SLOObjective, SLORequests, SLOBadRequests, HTTPServerRequestDuration, HTTPRequests,
		HTTPClientRequestDuration, HTTPClientRetries, HTTPClientRetriesWithheld, Panics,
		BuildInfo, BuildCommitTimestamp, StartTimestamp, Ready, Phase, LifecycleStepDuration,
		LastRunInfo, LastRunExitCode, LastRunCallsCut, SettingsInfo, LogLevel, FaultsInForce,
		WorkerUp, WorkerLastSuccess, WorkerRestarts,
		HealthCheckUp, HealthCheckDegraded, HealthCheckDuration, HealthCheckInfo,
		CertificateNotAfter, CertificateChainNotAfter, CertificateReloads, TLSHandshakeErrors, ConnectionsRefused,
		LogLinesDropped, AuditRecords, CollectorFailures, SpansDropped, SpansExported,
		CgroupMemoryLimit, CgroupMemoryUsage, CgroupCPULimit, CgroupCPUPeriods, CgroupCPUThrottledPeriods, CgroupCPUThrottled,
	}
}
