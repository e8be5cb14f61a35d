package catalog

// durationBuckets are the boundaries that the OpenTelemetry semantic conventions advise for RPC and HTTP durations.
var durationBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

var (
	resource      = Label{"resource", "the names that the service has declared"}
	rpcMethod     = Label{"rpc_method", "full names of the registered methods, `package.Service/Method`, and `_OTHER` for any other"}
	methodOrRoute = Label{"rpc_method", rpcMethod.Values + "; the patterns that the service gives to App.Handle"}
	linkedMethod  = Label{"rpc_method", "full names of the methods linked into the binary, `package.Service/Method`, and `_OTHER` for any other"}
	dialledName   = Label{"server_address", "names given to Dial by the service"}
	httpPeer      = Label{"server_address", "names given to HTTPClient by the service, never hosts"}

	sloKind   = Label{"slo", "`availability`, `latency`"}
	errorType = Label{"error_type", "empty, or the status code where it is the server's fault: `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`"}
)

// The metrics of the chassis, in the order of the documentation.
var (
	RPCServerCallDuration = Metric{
		Name: "rpc_server_call_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help:   "Duration of calls served, by gRPC or REST, refused ones included.",
		Labels: []Label{rpcMethod, {"rpc_status_code", "the 17 gRPC codes by name"}, errorType},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCInFlight = Metric{
		Name: "chassis_rpc_in_flight", Type: Gauge,
		Help:   "Calls being served at this moment.",
		Labels: []Label{rpcMethod},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientCallDuration = Metric{
		Name: "rpc_client_call_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of calls made to other services through Dial, retries included.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"rpc_status_code", "the 17 gRPC codes by name"},
			{"error_type", "empty for `OK`, else the status code"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientRefused = Metric{
		Name: "chassis_rpc_client_refused_total", Type: Counter,
		Help: "Calls to other services that were not sent because no time was left for them.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"reason", "`spent`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientHedges = Metric{
		Name: "chassis_rpc_client_hedges_total", Type: Counter,
		Help: "Second attempts of calls whose answer was late, by what became of them.",
		Labels: []Label{
			linkedMethod, dialledName,
			{"result", "`won`, `lost`, `withheld` where more than a tenth of the calls would have been sent twice"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	RPCClientAttempts = Metric{
		Name: "chassis_rpc_client_attempts_total", Type: Counter,
		Help:   "Attempts of calls to other services that went out to a replica: more than calls where some were repeated.",
		Labels: []Label{linkedMethod, dialledName, {"rpc_status_code", "the 17 gRPC codes by name"}},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientRetries = Metric{
		Name: "chassis_rpc_client_retries_total", Type: Counter,
		Help:   "Attempts that repeated one which had failed, by how that one had failed.",
		Labels: []Label{linkedMethod, dialledName, {"reason", "the 17 gRPC codes by name; in practice `UNAVAILABLE`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCClientEjections = Metric{
		Name: "chassis_rpc_client_ejections_total", Type: Counter,
		Help:   "Replicas of other services that calls were kept away from, because they failed or were slow where others were not.",
		Labels: []Label{dialledName, {"reason", "`failures`, `latency`"}},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCClientEjected = Metric{
		Name: "chassis_rpc_client_ejected", Type: Gauge,
		Help:   "Replicas that calls are kept away from at this moment.",
		Labels: []Label{dialledName},
		Since:  "0.1.0", Stability: Experimental,
	}
	RPCRejected = Metric{
		Name: "chassis_rpc_rejected_total", Type: Counter,
		Help:   "Calls refused before their handler ran, or because a declared resource was overloaded, and calls that a stop, or the end of the caller's certificate or token, has ended; refused requests of App.Handle.",
		Labels: []Label{methodOrRoute, {"reason", "a fixed list: `unknown_method`, `malformed`, `too_large`, `deadline`, `overload`, `unauthenticated`, `rate_limited`, `denied`, `invalid`, `fault`, `draining`, `shutdown`, `unaudited`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	FaultsInjected = Metric{
		Name: "chassis_faults_injected_total", Type: Counter,
		Help:   "Faults injected on purpose, by the rules in force.",
		Labels: []Label{rpcMethod, {"fault", "`delay`, `abort`, `reset`, `partial`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	AdmissionHolding = Metric{
		Name: "chassis_admission_holding", Type: Gauge,
		Help:  "1 while calls are held back because goroutines wait for processors. In report mode: 1 while they would be.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionRunning = Metric{
		Name: "chassis_admission_running", Type: Gauge,
		Help:  "Calls and streams that run at this moment, health checks and reflection left out.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionQueued = Metric{
		Name: "chassis_admission_queued", Type: Gauge,
		Help:  "Calls that are held back at this moment.",
		Since: "0.1.0", Stability: Stable,
	}
	AdmissionWait = Metric{
		Name: "chassis_admission_wait_seconds_total", Type: Counter, Unit: "seconds",
		Help:  "Time for which calls have been held back, all together.",
		Since: "0.1.0", Stability: Stable,
	}
	ResourceLimit = Metric{
		Name: "chassis_resource_limit", Type: Gauge,
		Help:   "How many calls can have the resource at once, as the service has declared.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceInUse = Metric{
		Name: "chassis_resource_in_use", Type: Gauge,
		Help:   "How many calls have the resource at this moment.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceQueued = Metric{
		Name: "chassis_resource_queued", Type: Gauge,
		Help:   "Calls that wait for the resource at this moment.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceWait = Metric{
		Name: "chassis_resource_wait_seconds_total", Type: Counter, Unit: "seconds",
		Help:   "Time that calls have waited for the resource, all together.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceRejected = Metric{
		Name: "chassis_resource_rejected_total", Type: Counter,
		Help:   "Times that the resource was refused to a call, as more came than it could serve.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	RPCAudited = Metric{
		Name: "chassis_rpc_audited_total", Type: Counter,
		Help:   "Calls let in by the audit mode of authorization, or the report mode of admission, that would have been refused.",
		Labels: []Label{methodOrRoute, {"reason", "`unauthenticated`, `denied`, `overload`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	PolicyOverridden = Metric{
		Name: "chassis_policy_overridden", Type: Gauge,
		Help:   "1 for each method for which an operator's override holds.",
		Labels: []Label{rpcMethod},
		Since:  "0.1.0", Stability: Stable,
	}
	ProtectionOff = Metric{
		Name: "chassis_protection_off", Type: Gauge,
		Help:   "1 for each protection that a setting, or for faults somebody at run time, has switched off.",
		Labels: []Label{{"protection", "a fixed list: `authorization`, `admission`, `mtls`, `rest_tls`, `production` (development that others can reach), `faults` (some are injected)"}},
		Since:  "0.1.0", Stability: Stable,
	}
	SLOObjective = Metric{
		Name: "chassis_slo_objective_ratio", Type: Gauge, Unit: "ratio",
		Help:   "Share of calls that the method promises to be good.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	SLORequests = Metric{
		Name: "chassis_slo_requests_total", Type: Counter,
		Help:   "Calls that count for an objective; a caller's mistake does not, and neither does its haste.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	SLOBadRequests = Metric{
		Name: "chassis_slo_bad_requests_total", Type: Counter,
		Help:   "Calls that burn the budget of an objective: failed by the service's fault, or too slow.",
		Labels: []Label{rpcMethod, sloKind},
		Since:  "0.1.0", Stability: Stable,
	}
	HTTPServerRequestDuration = Metric{
		Name: "http_server_request_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of HTTP requests served on the REST port.",
		Labels: []Label{
			{"http_request_method", "the nine methods of RFC 9110 and 5789, and `_OTHER`"},
			{"http_route", "registered patterns; empty where none matched"},
			{"http_response_status_code", "the status codes that net/http knows; any other counts as 500"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	HTTPClientRequestDuration = Metric{
		Name: "http_client_request_duration_seconds", Type: Histogram, Unit: "seconds", Buckets: durationBuckets,
		Help: "Duration of requests to third parties through HTTPClient, until their body is closed, retries included.",
		Labels: []Label{
			{"http_request_method", "the nine methods of RFC 9110 and 5789, and `_OTHER`"},
			httpPeer,
			{"http_response_status_code", "the status codes that net/http knows; any other counts as the first of its class; empty where there was no answer"},
			{"error_type", "empty, or the status code from 400 on, or a fixed list: `cancelled`, `timeout`, `dns`, `connect`, `tls`, `connection_lost`, `_OTHER`"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	HTTPClientRetries = Metric{
		Name: "chassis_http_client_retries_total", Type: Counter,
		Help:   "Requests to third parties that were sent again, by what went wrong before.",
		Labels: []Label{httpPeer, {"reason", "`connection`, `429`, `502`, `503`, `504`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HTTPClientRetriesWithheld = Metric{
		Name: "chassis_http_client_retries_withheld_total", Type: Counter,
		Help:   "Requests to third parties that were not sent again because the retry budget was spent.",
		Labels: []Label{httpPeer},
		Since:  "0.1.0", Stability: Stable,
	}
	Panics = Metric{
		Name: "chassis_panics_total", Type: Counter,
		Help:   "Panics caught, by where they happened.",
		Labels: []Label{{"where", "`rpc`, `http`, `worker`, `health`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	BuildInfo = Metric{
		Name: "chassis_build_info", Type: Gauge,
		Help: "Always 1; the labels say what is running.",
		Labels: []Label{
			{"service_name", "the service's name"}, {"version", "the service's module version or VCS revision"},
			{"revision", "VCS revision of the build"}, {"chassis_version", "version of Paddock"}, {"go_version", "version of Go"},
		},
		Since: "0.1.0", Stability: Stable,
	}
	BuildCommitTimestamp = Metric{
		Name: "chassis_build_commit_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Time of the commit that was built, in Unix time; absent where the build carries none.",
		Since: "0.1.0", Stability: Stable,
	}
	StartTimestamp = Metric{
		Name: "chassis_start_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Time at which the service began to start, in Unix time.",
		Since: "0.1.0", Stability: Stable,
	}
	Ready = Metric{
		Name: "chassis_ready", Type: Gauge,
		Help:  "1 while the service asks for traffic, else 0.",
		Since: "0.1.0", Stability: Stable,
	}
	Phase = Metric{
		Name: "chassis_phase", Type: Gauge,
		Help:   "1 for the phase of its life that the service is in, 0 for the others.",
		Labels: []Label{{"phase", "`starting`, `serving`, `draining`, `stopping`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	LifecycleStepDuration = Metric{
		Name: "chassis_lifecycle_step_duration_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Time that each step of starting and stopping took.",
		Labels: []Label{{"step", "the steps of chassis.Step"}},
		Since:  "0.1.0", Stability: Stable,
	}
	WorkerRestarts = Metric{
		Name: "chassis_worker_restarts_total", Type: Counter,
		Help:   "Restarts of a supervised worker after it failed or panicked.",
		Labels: []Label{{"worker", "names given to Go by the service"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckUp = Metric{
		Name: "chassis_health_check_up", Type: Gauge,
		Help:   "1 where the check passes, 0 where it fails, after hysteresis.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDegraded = Metric{
		Name: "chassis_health_check_degraded", Type: Gauge,
		Help:   "1 while the check passes although something is wrong, such as a lost dependency that the service stays ready without.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDuration = Metric{
		Name: "chassis_health_check_duration_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Duration of the newest run of the check.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CertificateNotAfter = Metric{
		Name: "chassis_certificate_not_after_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Expiry of the service's own certificate in force, in Unix time.",
		Since: "0.1.0", Stability: Stable,
	}
	CertificateReloads = Metric{
		Name: "chassis_certificate_reloads_total", Type: Counter,
		Help:   "Replacements of certificate or trust seen, by result.",
		Labels: []Label{{"result", "`ok`, `error`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	TLSHandshakeErrors = Metric{
		Name: "chassis_tls_handshake_errors_total", Type: Counter,
		Help:   "TLS handshakes refused or failed on a port of the service.",
		Labels: []Label{{"reason", "a fixed list: `no_tls`, `version`, `no_certificate`, `unknown_authority`, `expired`, `revoked`, `bad_certificate`, `rejected_by_peer`, `timeout`, `other`"}},
		Since:  "0.1.0", Stability: Stable,
	}
	ConnectionsRefused = Metric{
		Name: "chassis_connections_refused_total", Type: Counter,
		Help:   "Connections closed as soon as they had come, because the port had as many as it may have.",
		Labels: []Label{{"port", "`grpc`, `http`"}, {"reason", "`total` for the limit of the port, `address` for that of one address"}},
		Since:  "0.1.0", Stability: Stable,
	}
	LogLinesDropped = Metric{
		Name: "chassis_log_lines_dropped_total", Type: Counter,
		Help:   "Log lines lost because their reader was too slow or refused them.",
		Labels: []Label{{"sink", "`stdout`, `otlp`, the name of one of Service.LogSinks, or `handler` for telemetry.Config.LogHandlers"}},
		Since:  "0.1.0", Stability: Stable,
	}
	AuditRecords = Metric{
		Name: "chassis_audit_records_total", Type: Counter,
		Help:   "Records of the audit log, by what became of them. Absent where CHASSIS_AUDIT_LOG is off.",
		Labels: []Label{{"result", "`written`, `dropped` where the sink took nothing and the buffer was full, or the service ended before"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CollectorFailures = Metric{
		Name: "chassis_collector_failures_total", Type: Counter,
		Help:   "Times that a collector of the service did something wrong and was left out of a scrape, in whole or in part.",
		Labels: []Label{{"reason", "`panic`, `exit` where it ended its goroutine, `timeout`, `too_many` series, `invalid` where a scrape had invalid series"}},
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
		Help:  "Sampled spans that the collector took.",
		Since: "0.1.0", Stability: Stable,
	}
)

// All returns every entry, in the order of the documentation.
func All() []Metric {
	return []Metric{
		RPCServerCallDuration, RPCInFlight, RPCClientCallDuration, RPCClientAttempts, RPCClientRetries, RPCClientRefused, RPCClientHedges,
		RPCClientEjections, RPCClientEjected, RPCRejected, FaultsInjected, RPCAudited,
		AdmissionHolding, AdmissionRunning, AdmissionQueued, AdmissionWait,
		ResourceLimit, ResourceInUse, ResourceQueued, ResourceWait, ResourceRejected, PolicyOverridden, ProtectionOff,
		SLOObjective, SLORequests, SLOBadRequests, HTTPServerRequestDuration,
		HTTPClientRequestDuration, HTTPClientRetries, HTTPClientRetriesWithheld, Panics,
		BuildInfo, BuildCommitTimestamp, StartTimestamp, Ready, Phase, LifecycleStepDuration, WorkerRestarts,
		HealthCheckUp, HealthCheckDegraded, HealthCheckDuration,
		CertificateNotAfter, CertificateReloads, TLSHandshakeErrors, ConnectionsRefused,
		LogLinesDropped, AuditRecords, CollectorFailures, SpansDropped, SpansExported,
	}
}
