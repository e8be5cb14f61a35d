package chassis

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// Config has the settings of the chassis, which operators set by environment variables. Its tags
// declare each setting:
//
//   - env: the variable and its default
//   - dev: the default in development, if it differs
//   - min, max, oneof: the limits
//   - help: the meaning
//   - secret: "true" hides the value
//
// -help prints the settings, and /debug/config the values in force. Durations are Go durations
// such as 1.5s or 2m, sizes are bytes. OTEL_ variables keep their standard names and meanings and
// are read too.
type Config struct {
	Environment string `env:"CHASSIS_ENVIRONMENT, default=production" oneof:"development production" help:"production refuses development certificates and CHASSIS_FAULTS, serves no gRPC reflection, and has stricter defaults. Not set: production on Kubernetes, with certificates, or with an address that other machines can reach; else development."`

	GRPCAddr  string `env:"CHASSIS_GRPC_ADDR, default=:9000" dev:"localhost:9000" help:"Address that gRPC listens on."`
	HTTPAddr  string `env:"CHASSIS_HTTP_ADDR, default=:8080" dev:"localhost:8080" help:"Address that REST listens on. The port stays closed if the service serves no HTTP."`
	AdminAddr string `env:"CHASSIS_ADMIN_ADDR, default=:8081" dev:"localhost:8081" help:"Address of the admin port: probes and /metrics for every client, /debug for allowed clients only."`

	MTLS         string   `env:"CHASSIS_MTLS, default=auto" oneof:"auto spiffe files development off" help:"Source of certificates. auto picks spiffe if SPIFFE_ENDPOINT_SOCKET is set, files if a TLS file is set, else development, which production refuses. off serves and calls without TLS."`
	TLSCertFile  string   `env:"CHASSIS_TLS_CERT_FILE" help:"PEM file with the service's certificate and its intermediates. Read again when it is replaced."`
	TLSKeyFile   string   `env:"CHASSIS_TLS_KEY_FILE" help:"PEM file with the private key of the certificate. Read again when it is replaced."`
	TLSCAFile    string   `env:"CHASSIS_TLS_CA_FILE" help:"PEM file with the authorities that may have issued the certificates of peers. Read again when it is replaced."`
	TLSCRLFile   string   `env:"CHASSIS_TLS_CRL_FILE" help:"File with certificate revocation lists (RFC 5280): any number in PEM, or one in DER. Read again when it is replaced; connections of revoked certificates are then closed. Requires CHASSIS_TLS_CERT_FILE."`
	HTTPTLS      bool     `env:"CHASSIS_HTTP_TLS, default=true" dev:"false" help:"Serve REST over TLS. A client need not send a certificate; one that is sent is verified."`
	AdminTLS     bool     `env:"CHASSIS_ADMIN_TLS, default=false" help:"Serve the admin port over TLS, so that clients can prove the identities that CHASSIS_DEBUG_CALLERS lists."`
	DebugCallers []string `env:"CHASSIS_DEBUG_CALLERS" help:"Identities that may read /debug from other machines, separated by commas: services of the own trust domain (ops, ops-*) or SPIFFE IDs (spiffe://example.org/ops). * matches any characters except a slash, and cannot stand in a trust domain. Requires CHASSIS_ADMIN_TLS. Clients on the same machine are let in too, unless CHASSIS_DEBUG_LOOPBACK is false."`
	DebugLocal   bool     `env:"CHASSIS_DEBUG_LOOPBACK, default=true" help:"Let clients on the same machine read /debug, such as kubectl port-forward. Set it to false if a proxy on the machine forwards requests of other clients: then only CHASSIS_DEBUG_CALLERS are let in."`
	HTTPDocs     bool     `env:"CHASSIS_HTTP_DOCS, default=false" dev:"true" help:"Serve the OpenAPI document at /openapi.json and a page to try the API at /docs, on the REST port."`

	Authorization   string `env:"CHASSIS_AUTHORIZATION, default=enforce" oneof:"enforce audit" help:"enforce refuses callers that a method does not list. audit lets them in, logs them, and counts them in chassis_rpc_audited_total: use it before you declare callers for the first time."`
	PolicyOverrides string `env:"CHASSIS_POLICY_OVERRIDES" help:"Policies for single methods that replace the declared ones in an emergency, as JSON: {\"package.Service/Method\": {\"timeout\": \"2s\", \"callers\": [\"web\"]}}."`

	TrustedOrigins []string `env:"CHASSIS_TRUSTED_ORIGINS" help:"Sites whose pages may send REST requests with a browser's certificate, cookie or remembered password, separated by commas, such as https://app.example.com. Pages of the service's own host always may; pages of other sites get 403. Clients that are not browsers are not affected."`

	CORSOrigins  []string `env:"CHASSIS_HTTP_CORS_ORIGINS" help:"Sites whose pages may call the REST port and read its answers (CORS), separated by commas: https://app.example.com, https://*.example.com for all hosts below example.com, or * for every site. Methods come from the contract. Pages that send a browser's cookies, certificate or password need CHASSIS_TRUSTED_ORIGINS too. Empty: pages of other sites cannot read answers."`
	HTTPCompress int      `env:"CHASSIS_HTTP_COMPRESS_BYTES, default=2048" min:"0" help:"Size from which JSON answers of REST methods are compressed with gzip, for clients that send Accept-Encoding. Set 0 if a proxy in front compresses. 0: nothing is compressed."`

	RateLimit string `env:"CHASSIS_RATE_LIMIT" help:"Calls that each caller may make, such as 100/s or 6000/m burst 200. Limits by caller are a list, of which the first match holds: web=500/s, user:*=10/s, *=100/s. Callers without an identity are counted by address. Empty: no limit."`
	Faults    string `env:"CHASSIS_FAULTS" help:"Faults to inject in tests, as JSON: {\"method\": \"package.Service/Method\", \"ratio\": 0.1, \"delay\": \"200ms\", \"abort\": \"UNAVAILABLE\"}. Production does not start with it: set faults at /debug/faults there."`

	LogLevel    slog.Level `env:"CHASSIS_LOG_LEVEL, default=INFO" help:"Lowest level that is logged: DEBUG, INFO, WARN or ERROR. /debug/log-level changes it at run time."`
	LogFormat   string     `env:"CHASSIS_LOG_FORMAT, default=auto" oneof:"auto json text" help:"Format of log lines. auto is text on a terminal, else json."`
	TraceTrust  string     `env:"CHASSIS_TRACE_TRUST, default=domain" oneof:"domain anyone" help:"Callers whose traceparent and baggage are used as they come. domain: callers of the own trust domain, in development also callers without TLS, and every caller if CHASSIS_MTLS is off. anyone: every caller. Other callers get a trace of their own, linked to the one they sent, so that they decide neither about sampling nor about what other services receive."`
	LogRequests string     `env:"CHASSIS_LOG_REQUESTS, default=all" oneof:"all failed none" help:"Calls that get a line in the access log."`

	AuditLog     string `env:"CHASSIS_AUDIT_LOG, default=off" oneof:"off denied all" help:"Calls that are recorded in the audit log. denied: calls that were denied. all: every call except health checks. Both also record changes through the admin port. CHASSIS_LOG_LEVEL and sampling have no effect on it. See docs/audit.md."`
	AuditLogFile string `env:"CHASSIS_AUDIT_LOG_FILE" help:"File that audit records are appended to, as lines of JSON. It is created if it does not exist, and opened again when it is renamed or removed. Empty: standard output, where each record begins with {\"log\":\"audit\"."`
	AuditLogMode string `env:"CHASSIS_AUDIT_LOG_MODE, default=drop" oneof:"drop refuse" help:"What happens while the audit log cannot be written. drop: calls run, up to 1 MiB of records wait, and further records are dropped and counted in chassis_audit_records_total. refuse: a call runs only once its record is written; otherwise it gets UNAVAILABLE and the service is not ready. refuse requires CHASSIS_AUDIT_LOG=all."`

	CallTimeout       time.Duration `env:"CHASSIS_CALL_TIMEOUT, default=10s" min:"0s" help:"Deadline of unary calls whose method declares none. An earlier deadline of the caller holds. 0: no deadline."`
	HTTPTimeout       time.Duration `env:"CHASSIS_HTTP_TIMEOUT, default=8s" min:"0s" help:"Deadline of unary REST calls whose method declares none; a call that exceeds it gets 504. The earlier of this and CHASSIS_CALL_TIMEOUT holds. A client can ask for less with Request-Timeout. 0: no deadline."`
	HTTPClientTimeout time.Duration `env:"CHASSIS_HTTP_CLIENT_TIMEOUT, default=10s" min:"1ns" help:"Time for a request to a third party, reading the response included, if the caller's context has no deadline. It always limits the wait for the response header."`

	FleetHost string `env:"CHASSIS_FLEET_HOST" help:"Host name that resolves to the addresses of all instances of this service, such as a headless Kubernetes service. An instance that has lost a required dependency asks the others before it leaves. Empty: the service's name."`
	Admission string `env:"CHASSIS_ADMISSION, default=on" oneof:"on off report" help:"on holds calls back in an overload and refuses those that cannot be served in time. off does neither. report does neither, but logs the calls that would have been refused and counts them in chassis_rpc_audited_total."`

	DrainDelay      time.Duration `env:"CHASSIS_DRAIN_DELAY, default=5s" dev:"0s" min:"0s" help:"Time between SIGTERM and closing the listeners: the service reports that it is not ready, and still serves. Raise it if your load balancer needs longer to drop an instance."`
	ShutdownTimeout time.Duration `env:"CHASSIS_SHUTDOWN_TIMEOUT, default=20s" min:"1ns" help:"Time from SIGTERM to the exit, drain delay and flush included. The last 3s are for workers and telemetry, so set it to more than CHASSIS_DRAIN_DELAY plus 3s."`
	GracePeriod     time.Duration `env:"CHASSIS_GRACE_PERIOD, default=0s" min:"0s" help:"The pod's terminationGracePeriodSeconds. The service does not start if CHASSIS_SHUTDOWN_TIMEOUT is longer. 0: unknown, not checked."`

	MaxMessageBytes          int           `env:"CHASSIS_MAX_MESSAGE_BYTES, default=4194304" min:"1" max:"2147483647" help:"Largest message in each direction, gRPC and REST, after decompression. Plain HTTP handlers have CHASSIS_MAX_HANDLER_BYTES."`
	MaxHandlerBytes          int           `env:"CHASSIS_MAX_HANDLER_BYTES, default=0" min:"0" help:"Largest request body that a plain HTTP handler (App.Handle) can read; reading more returns an error. It does not apply to gRPC and REST methods. Set it if handlers keep whole bodies in memory. 0: no limit."`
	MaxHeaderBytes           int           `env:"CHASSIS_MAX_HEADER_BYTES, default=16384" min:"1" max:"2147483647" help:"Largest header of a request."`
	MaxStreams               int           `env:"CHASSIS_MAX_CONCURRENT_STREAMS, default=1000" min:"1" max:"2147483647" help:"Calls at once on one gRPC connection, open streams included. Further calls wait in the client until their deadline, without an error. A gRPC client has one connection for each server, so set it to more than the streams that one client holds. A stream whose client does not read keeps memory: see docs/production.md. REST connections allow 250, as in net/http; browsers and proxies open another one."`
	MaxConnections           int           `env:"CHASSIS_MAX_CONNECTIONS, default=10000" min:"0" help:"Connections at once on each of the gRPC and REST ports. One more is closed as soon as it is accepted. An idle TLS connection takes about 40 KiB. Raise it if the service holds many sockets. 0: no limit."`
	MaxConnectionsPerAddress int           `env:"CHASSIS_MAX_CONNECTIONS_PER_ADDRESS, default=0" min:"0" help:"Connections at once from one client address, or one IPv6 /64 network, on each port. Loopback is not limited. Set it only if clients connect directly: behind a proxy or a mesh all connections may have one address. 0: no limit."`
	ConnectTimeout           time.Duration `env:"CHASSIS_CONNECT_TIMEOUT, default=10s" min:"1ns" help:"Time for the handshake, the HTTP/2 preface and the request header."`
	BodyTimeout              time.Duration `env:"CHASSIS_BODY_TIMEOUT, default=15s" min:"1ns" help:"Time that reading a REST request body may wait for the next bytes. A slow body that keeps moving is not cut."`
	WriteTimeout             time.Duration `env:"CHASSIS_WRITE_TIMEOUT, default=2m" min:"1ns" help:"Time that one write of an HTTP response may wait for the client to read. Time without a write does not count, so downloads and quiet streams can last. The system reports a slow client's progress in steps of about a megabyte, so a client that reads less than 10 kB/s may be cut."`
	SSEHeartbeat             time.Duration `env:"CHASSIS_SSE_HEARTBEAT, default=15s" min:"0s" help:"Time without an event after which a stream of server-sent events (Accept: text/event-stream) sends a comment, so that proxies keep the connection and a client that has gone is noticed. Set it to less than the idle timeout of your proxies. 0: no comments."`
	IdleTimeout              time.Duration `env:"CHASSIS_IDLE_TIMEOUT, default=2m" min:"1ns" help:"Time after which an idle REST connection is closed."`
	MaxConnectionAge         time.Duration `env:"CHASSIS_MAX_CONNECTION_AGE, default=30m" min:"1ns" help:"Age, plus or minus a tenth, at which clients are asked to close a gRPC or REST connection, so that they spread over the instances again."`
	MaxConnectionGrace       time.Duration `env:"CHASSIS_MAX_CONNECTION_GRACE, default=5m" min:"1ns" help:"Time that calls have left on a gRPC connection that has reached CHASSIS_MAX_CONNECTION_AGE. Calls on a REST connection are not cut."`
	KeepaliveMinTime         time.Duration `env:"CHASSIS_KEEPALIVE_MIN_TIME, default=20s" min:"1ns" help:"Shortest time between two pings of a gRPC client. A client that pings more often is disconnected."`
	KeepaliveTime            time.Duration `env:"CHASSIS_KEEPALIVE_TIME, default=1m" min:"1ns" help:"Time without traffic after which a gRPC connection is pinged. It is closed if no answer comes within 20 s."`

	NativeHistograms bool   `env:"CHASSIS_NATIVE_HISTOGRAMS, default=false" help:"Give the histograms of durations native buckets beside the fixed ones, so that quantiles below 5 ms can be read. Prometheus stores both if it scrapes native histograms; other scrapers get the fixed buckets as before. It costs memory in Prometheus and some kilobytes for each method and status code in the service."`
	RunFile          string `env:"CHASSIS_RUN_FILE" help:"File in which a run notes how it ends, for chassis_last_run_info and its neighbours in the next run. It must survive a restart, for example in an emptyDir volume, and belong to one instance. Empty: not noted."`

	FlightRecorder bool `env:"CHASSIS_FLIGHT_RECORDER, default=true" help:"Keep the last seconds of the execution trace in memory, for /debug/flight."`
}

// Values of CHASSIS_ENVIRONMENT, CHASSIS_MTLS, CHASSIS_AUTHORIZATION, CHASSIS_TRACE_TRUST and
// CHASSIS_ADMISSION.
const (
	development = "development"
	production  = "production"

	mtlsAuto   = "auto"
	mtlsSPIFFE = "spiffe"
	mtlsFiles  = "files"
	mtlsOff    = "off"

	authorizationEnforce = "enforce"
	authorizationAudit   = "audit"

	traceDomain = "domain"
	traceAnyone = "anyone"

	admissionOn     = "on"
	admissionOff    = "off"
	admissionReport = "report"
)

// Values of CHASSIS_AUDIT_LOG_MODE. Those of CHASSIS_AUDIT_LOG are in package audit.
const (
	auditDrop   = "drop"
	auditRefuse = "refuse"
)

// validate checks what tags cannot: values with a grammar of their own, and settings that
// contradict each other.
func (c *Config) validate() (errs []error) {
	if _, err := contract.ParseOverrides(c.PolicyOverrides); err != nil {
		errs = append(errs, fmt.Errorf("CHASSIS_POLICY_OVERRIDES: %w", err))
	}
	if _, err := ratelimit.Parse(c.RateLimit); err != nil {
		errs = append(errs, fmt.Errorf("CHASSIS_RATE_LIMIT: %w", err))
	}
	origins := http.NewCrossOriginProtection()
	for _, origin := range c.TrustedOrigins {
		if err := origins.AddTrustedOrigin(origin); err != nil {
			errs = append(errs, fmt.Errorf("CHASSIS_TRUSTED_ORIGINS: %w; write an origin such as https://app.example.com", err))
		}
	}
	for _, origin := range c.CORSOrigins {
		if err := inbound.CheckOrigin(origin); err != nil {
			errs = append(errs, fmt.Errorf("CHASSIS_HTTP_CORS_ORIGINS: %w; write an origin such as https://app.example.com or https://*.example.com, or *", err))
		}
	}
	errs = append(errs, c.validateAuditLog()...)
	errs = append(errs, c.validateFaults()...)
	errs = append(errs, c.validateShutdown()...)
	for _, text := range c.DebugCallers {
		pattern, err := contract.ParsePattern(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("CHASSIS_DEBUG_CALLERS has %q: %w", text, err))
		case pattern.User():
			errs = append(errs, fmt.Errorf("CHASSIS_DEBUG_CALLERS has %q: the admin port accepts no tokens; list services instead of users", text))
		}
	}
	if len(c.DebugCallers) > 0 && !c.AdminTLS {
		errs = append(errs, errors.New("CHASSIS_DEBUG_CALLERS is set, but the admin port has no TLS, so no client can prove its identity: set CHASSIS_ADMIN_TLS=true"))
	}
	return errs
}

// defaultShutdownTimeout is the default of CHASSIS_SHUTDOWN_TIMEOUT, for a stop before the
// settings are read.
const defaultShutdownTimeout = 20 * time.Second

// The parts of CHASSIS_SHUTDOWN_TIMEOUT that are reserved for what follows the calls: first
// workers and stop functions, last telemetry. Time that one part does not use passes to the next.
const (
	telemetryReserve = 2 * time.Second
	stopReserve      = time.Second + telemetryReserve
)

// validateShutdown checks that the parts of a stop fit into the whole. The graces of streams
// always fit, because they are shares of the time left for calls.
func (c *Config) validateShutdown() (errs []error) {
	if c.GracePeriod > 0 && c.ShutdownTimeout > c.GracePeriod {
		errs = append(errs, fmt.Errorf("CHASSIS_SHUTDOWN_TIMEOUT is %s, but the pod is killed after CHASSIS_GRACE_PERIOD, %s: "+
			"lower CHASSIS_SHUTDOWN_TIMEOUT, or raise terminationGracePeriodSeconds and CHASSIS_GRACE_PERIOD", c.ShutdownTimeout, c.GracePeriod))
	}
	switch left := c.ShutdownTimeout - stopReserve; {
	case c.ShutdownTimeout <= 0: // its tag has a limit for that
	case left <= 0:
		errs = append(errs, fmt.Errorf("CHASSIS_SHUTDOWN_TIMEOUT is %s, which leaves no time for calls: the last %s are for workers and telemetry; "+
			"set it to more than %s", c.ShutdownTimeout, stopReserve, leastShutdown(c.DrainDelay)))
	case c.DrainDelay >= left:
		errs = append(errs, fmt.Errorf("CHASSIS_DRAIN_DELAY is %s, which leaves no time for calls: CHASSIS_SHUTDOWN_TIMEOUT is %s, "+
			"and its last %s are for workers and telemetry; set CHASSIS_DRAIN_DELAY to less than %s, or CHASSIS_SHUTDOWN_TIMEOUT to more than %s",
			c.DrainDelay, c.ShutdownTimeout, stopReserve, left, leastShutdown(c.DrainDelay)))
	}
	return errs
}

// leastShutdown returns the least value that CHASSIS_SHUTDOWN_TIMEOUT must exceed.
func leastShutdown(drainDelay time.Duration) time.Duration {
	if drainDelay > 1<<63-1-stopReserve {
		return 1<<63 - 1
	}
	return max(drainDelay, 0) + stopReserve
}

// source resolves auto to a source of certificates.
func (c *Config) source(spiffeSocket string) string {
	switch {
	case c.MTLS != mtlsAuto:
		return c.MTLS
	case spiffeSocket != "":
		return mtlsSPIFFE
	case c.TLSCertFile != "" || c.TLSKeyFile != "" || c.TLSCAFile != "":
		return mtlsFiles
	default:
		return development
	}
}
