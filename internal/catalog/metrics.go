package catalog

// durationBuckets are the boundaries that the OpenTelemetry semantic conventions advise for RPC and HTTP durations.
var durationBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

var (
	resource      = Label{"resource", "names that the service declares with App.Resource"}
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
		Help:   "Duration of served calls, gRPC and REST, refused calls included.",
		Labels: []Label{rpcMethod, {"rpc_status_code", "the 17 gRPC codes by name"}, errorType},
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
		Help:   "Declared limit: calls that can hold the resource at once.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceInUse = Metric{
		Name: "chassis_resource_in_use", Type: Gauge,
		Help:   "Calls that hold the resource now.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceQueued = Metric{
		Name: "chassis_resource_queued", Type: Gauge,
		Help:   "Calls that wait for the resource now.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceWait = Metric{
		Name: "chassis_resource_wait_seconds_total", Type: Counter, Unit: "seconds",
		Help:   "Total time that calls waited for the resource.",
		Labels: []Label{resource},
		Since:  "0.1.0", Stability: Stable,
	}
	ResourceRejected = Metric{
		Name: "chassis_resource_rejected_total", Type: Counter,
		Help:   "Times that a call was refused the resource because it was overloaded.",
		Labels: []Label{resource},
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
		Labels: []Label{{"worker", "names that the service passes to App.Go"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckUp = Metric{
		Name: "chassis_health_check_up", Type: Gauge,
		Help:   "1 if the health check passes, 0 if it fails. A passing check fails after FailAfter failures in a row, a failing one passes after PassAfter successes.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDegraded = Metric{
		Name: "chassis_health_check_degraded", Type: Gauge,
		Help:   "1 while the health check passes although something is wrong, such as a lost dependency; else 0.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	HealthCheckDuration = Metric{
		Name: "chassis_health_check_duration_seconds", Type: Gauge, Unit: "seconds",
		Help:   "Duration of the last run of the health check.",
		Labels: []Label{{"check", "names of the registered checks"}},
		Since:  "0.1.0", Stability: Stable,
	}
	CertificateNotAfter = Metric{
		Name: "chassis_certificate_not_after_timestamp_seconds", Type: Gauge, Unit: "seconds",
		Help:  "Expiry of the certificate that the service uses, in Unix time.",
		Since: "0.1.0", Stability: Stable,
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
