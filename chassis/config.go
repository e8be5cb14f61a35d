package chassis

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/contract"
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
	Environment string `env:"CHASSIS_ENVIRONMENT, default=production" oneof:"development production" help:"development or production. Where it is not set: development on a machine of one's own, which has no certificates set and no address that others may reach, and production elsewhere."`

	GRPCAddr  string `env:"CHASSIS_GRPC_ADDR, default=:9000" dev:"localhost:9000" help:"Address of gRPC."`
	HTTPAddr  string `env:"CHASSIS_HTTP_ADDR, default=:8080" dev:"localhost:8080" help:"Address of REST. It is not opened where a service has no HTTP."`
	AdminAddr string `env:"CHASSIS_ADMIN_ADDR, default=:8081" dev:"localhost:8081" help:"Address of probes and /metrics for anyone, and of /debug for those allowed."`

	MTLS         string   `env:"CHASSIS_MTLS, default=auto" oneof:"auto spiffe files development off" help:"Where certificates come from: spiffe, files, development, or off for no TLS at all. auto takes spiffe if SPIFFE_ENDPOINT_SOCKET is set, else files if the files are, else development, which production refuses."`
	TLSCertFile  string   `env:"CHASSIS_TLS_CERT_FILE" help:"PEM file of the service's certificate and its intermediates. Read again when it is replaced."`
	TLSKeyFile   string   `env:"CHASSIS_TLS_KEY_FILE" help:"PEM file of the certificate's private key."`
	TLSCAFile    string   `env:"CHASSIS_TLS_CA_FILE" help:"PEM file of the authorities that peers are trusted by."`
	TLSCRLFile   string   `env:"CHASSIS_TLS_CRL_FILE" help:"File of revoked certificates: lists as of RFC 5280, in PEM, or one in DER. It is read again when it is replaced, and then ends the connections of what it lists. Only beside CHASSIS_TLS_CERT_FILE."`
	HTTPTLS      bool     `env:"CHASSIS_HTTP_TLS, default=true" dev:"false" help:"Serve REST by TLS. A client certificate is verified if one is given."`
	AdminTLS     bool     `env:"CHASSIS_ADMIN_TLS, default=false" help:"Serve the admin port by TLS, so that CHASSIS_DEBUG_CALLERS can be told apart."`
	DebugCallers []string `env:"CHASSIS_DEBUG_CALLERS" help:"Identities that may read /debug from elsewhere: SPIFFE IDs, or names of services of the own trust domain; * stands for any letters but a slash, and not in a trust domain. Needs CHASSIS_ADMIN_TLS. It lets these in beside callers of the same machine, who need not be among them: CHASSIS_DEBUG_LOOPBACK=false has it bind everyone."`
	DebugLocal   bool     `env:"CHASSIS_DEBUG_LOOPBACK, default=true" help:"Let callers of the same machine see /debug, as those of a kubectl port-forward are. Set it to false where a proxy on the machine hands requests of others on: then CHASSIS_DEBUG_CALLERS alone are let in."`
	HTTPDocs     bool     `env:"CHASSIS_HTTP_DOCS, default=false" dev:"true" help:"Serve the API's description at /openapi.json and a page to try it at /docs, on the REST port."`

	Authorization   string `env:"CHASSIS_AUTHORIZATION, default=enforce" oneof:"enforce audit" help:"enforce, or audit: callers that a method does not name are let in, logged and counted, as when callers are declared for the first time."`
	PolicyOverrides string `env:"CHASSIS_POLICY_OVERRIDES" help:"For emergencies: policies of single methods over the declared ones, as JSON: {\"package.Service/Method\": {\"timeout\": \"2s\", \"callers\": [\"web\"]}}."`

	TrustedOrigins []string `env:"CHASSIS_TRUSTED_ORIGINS" help:"Sites whose pages may call by REST in the name of a browser's user, where a certificate, a cookie or a remembered password proves who that is, as https://app.example.com. Pages of the service's own host always may; other sites get 403, and programs that are no browsers are not asked."`

	RateLimit string `env:"CHASSIS_RATE_LIMIT" help:"Calls that each caller may make, as 100/s or 6000/m burst 200, or by caller, the first that fits: web=500/s, user:*=10/s, *=100/s. Callers without an identity are told apart by address. Empty for no limit."`
	Faults    string `env:"CHASSIS_FAULTS" help:"Faults to inject, for tests, as JSON: {\"method\": \"package.Service/Method\", \"ratio\": 0.1, \"delay\": \"200ms\", \"abort\": \"UNAVAILABLE\"}. Refused in production, where they are set at /debug/faults."`

	LogLevel    slog.Level `env:"CHASSIS_LOG_LEVEL, default=INFO" help:"DEBUG, INFO, WARN or ERROR. Changeable at run time at /debug/log-level."`
	LogFormat   string     `env:"CHASSIS_LOG_FORMAT, default=auto" oneof:"auto json text" help:"json, text, or auto: text on a terminal, else json."`
	TraceTrust  string     `env:"CHASSIS_TRACE_TRUST, default=domain" oneof:"domain anyone" help:"Whose traceparent and baggage are taken as they come: domain: those of callers of the own trust domain, in development also those of callers without TLS, and all where CHASSIS_MTLS is off; or anyone. Another caller gets a trace of its own, linked with the one it names, so that it decides neither what is sampled nor what goes on to other services."`
	LogRequests string     `env:"CHASSIS_LOG_REQUESTS, default=all" oneof:"all failed none" help:"Calls that leave a line: all, failed or none."`

	AuditLog     string `env:"CHASSIS_AUDIT_LOG, default=off" oneof:"off denied all" help:"Calls that leave a record in the audit log, which is apart from the log: off; denied: those that were denied; or all, but for health checks. Changes by the admin port are recorded with each but off. CHASSIS_LOG_LEVEL and sampling do not touch it. See docs/audit.md."`
	AuditLogFile string `env:"CHASSIS_AUDIT_LOG_FILE" help:"File that the audit log is appended to, as lines of JSON. It is made where there is none, and opened anew when it is renamed or removed. Empty for standard output, where each record begins with {\"log\":\"audit\"."`
	AuditLogMode string `env:"CHASSIS_AUDIT_LOG_MODE, default=drop" oneof:"drop refuse" help:"What happens where the audit log cannot be written. drop: calls go on, up to 1 MiB of records wait, more are dropped and counted in chassis_audit_records_total. refuse: a call runs when its record is written; else it gets UNAVAILABLE, and the service is not ready. Needs CHASSIS_AUDIT_LOG=all."`

	CallTimeout       time.Duration `env:"CHASSIS_CALL_TIMEOUT, default=10s" min:"0s" help:"Deadline of unary calls that declare none, where the caller's is later or missing. 0 for none."`
	HTTPTimeout       time.Duration `env:"CHASSIS_HTTP_TIMEOUT, default=8s" min:"0s" help:"Deadline of unary calls by REST that declare none, answered with 504; it holds where it is earlier than CHASSIS_CALL_TIMEOUT. A caller may ask for an earlier one by Request-Timeout. 0 for none."`
	HTTPClientTimeout time.Duration `env:"CHASSIS_HTTP_CLIENT_TIMEOUT, default=10s" min:"1ns" help:"Time for a request to a third party, its answer read, where the caller has no deadline, and in any case for the header of the answer."`

	FleetHost string `env:"CHASSIS_FLEET_HOST" help:"Host name whose addresses are the instances of this service, as a headless Kubernetes service has it. Asked before an instance leaves that has lost what it cannot do without. Where it is not set: the service's name."`
	Admission string `env:"CHASSIS_ADMISSION, default=on" oneof:"on off report" help:"on; off: no call is held back or refused for overload; or report: as off, and calls that would have been refused are logged and counted in chassis_rpc_audited_total."`

	DrainDelay      time.Duration `env:"CHASSIS_DRAIN_DELAY, default=5s" dev:"0s" min:"0s" help:"How long a stopping service goes on serving after it has said that it is not ready: the time that load balancers need to notice."`
	ShutdownTimeout time.Duration `env:"CHASSIS_SHUTDOWN_TIMEOUT, default=20s" min:"1ns" help:"The whole way from the signal to the exit, drain and flush included. The last 3s are for workers and telemetry, so it must be more than CHASSIS_DRAIN_DELAY and 3s."`
	GracePeriod     time.Duration `env:"CHASSIS_GRACE_PERIOD, default=0s" min:"0s" help:"The pod's terminationGracePeriodSeconds, for the check that CHASSIS_SHUTDOWN_TIMEOUT fits in. 0 for unknown."`

	MaxMessageBytes          int           `env:"CHASSIS_MAX_MESSAGE_BYTES, default=4194304" min:"1" max:"2147483647" help:"Largest message each way, gRPC and REST, after decompression. Handlers of plain HTTP have CHASSIS_MAX_HANDLER_BYTES."`
	MaxHandlerBytes          int           `env:"CHASSIS_MAX_HANDLER_BYTES, default=0" min:"0" help:"Largest request body that a handler of plain HTTP (App.Handle) can read. Reading more ends in an error. It says nothing of gRPC and REST methods. Set it where handlers keep whole bodies in memory. 0 for no limit."`
	MaxHeaderBytes           int           `env:"CHASSIS_MAX_HEADER_BYTES, default=16384" min:"1" max:"2147483647" help:"Largest header of a request."`
	MaxStreams               int           `env:"CHASSIS_MAX_CONCURRENT_STREAMS, default=1000" min:"1" max:"2147483647" help:"Calls at once on one gRPC connection, open streams included. A gRPC client has one connection for each server, and its further calls wait there without a word until their deadlines, so it must be more than the streams that one client holds. Streams whose client reads nothing keep memory: see docs/production.md. Connections of REST have 250 at most, as net/http has: browsers and proxies open another one."`
	MaxConnections           int           `env:"CHASSIS_MAX_CONNECTIONS, default=10000" min:"0" help:"Connections at once on each of the ports of gRPC and REST. One more is closed as soon as it comes. An idle one with TLS takes about 40 KiB. Raise it for a service that holds many sockets. 0 for no limit."`
	MaxConnectionsPerAddress int           `env:"CHASSIS_MAX_CONNECTIONS_PER_ADDRESS, default=0" min:"0" help:"The same for each client address, or network of 64 bits of IPv6. Loopback is not limited. Set it only where clients connect themselves: behind a proxy or a mesh all connections may come from one address. 0 for no limit."`
	ConnectTimeout           time.Duration `env:"CHASSIS_CONNECT_TIMEOUT, default=10s" min:"1ns" help:"Time for handshake, HTTP/2 preface and request headers."`
	BodyTimeout              time.Duration `env:"CHASSIS_BODY_TIMEOUT, default=15s" min:"1ns" help:"Time that the body of a REST request may stand still while it is read. A slow body that moves is not cut."`
	WriteTimeout             time.Duration `env:"CHASSIS_WRITE_TIMEOUT, default=2m" min:"1ns" help:"Time that a write of an HTTP answer may wait for its reader. It does not run while nothing is written: downloads and quiet streams may take as long as they like. The system shows a slow reader's progress in steps of about a megabyte, so one of less than 10 kB/s may be cut."`
	IdleTimeout              time.Duration `env:"CHASSIS_IDLE_TIMEOUT, default=2m" min:"1ns" help:"Idle REST connections are closed after it."`
	MaxConnectionAge         time.Duration `env:"CHASSIS_MAX_CONNECTION_AGE, default=30m" min:"1ns" help:"gRPC and REST connections are asked to leave after it, give or take a tenth, so that clients spread anew."`
	MaxConnectionGrace       time.Duration `env:"CHASSIS_MAX_CONNECTION_GRACE, default=5m" min:"1ns" help:"Calls on a gRPC connection of that age may still take so long. Those on a REST connection are left to end."`
	KeepaliveMinTime         time.Duration `env:"CHASSIS_KEEPALIVE_MIN_TIME, default=20s" min:"1ns" help:"gRPC clients that ping more often are cut."`
	KeepaliveTime            time.Duration `env:"CHASSIS_KEEPALIVE_TIME, default=1m" min:"1ns" help:"Silent gRPC connections are pinged after it, and cut if no answer comes within 20 s."`

	FlightRecorder bool `env:"CHASSIS_FLIGHT_RECORDER, default=true" help:"Keep the last seconds of execution trace in memory, for /debug/flight."`
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
			errs = append(errs, fmt.Errorf("CHASSIS_TRUSTED_ORIGINS: %w; an origin is as https://app.example.com", err))
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
			errs = append(errs, fmt.Errorf("CHASSIS_DEBUG_CALLERS has %q: the admin port takes no tokens, so name services", text))
		}
	}
	if len(c.DebugCallers) > 0 && !c.AdminTLS {
		errs = append(errs, errors.New("CHASSIS_DEBUG_CALLERS names identities, which only mutual TLS can prove: set CHASSIS_ADMIN_TLS=true too"))
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
			"lower the first or raise terminationGracePeriodSeconds", c.ShutdownTimeout, c.GracePeriod))
	}
	switch left := c.ShutdownTimeout - stopReserve; {
	case c.ShutdownTimeout <= 0: // its tag has a limit for that
	case left <= 0:
		errs = append(errs, fmt.Errorf("CHASSIS_SHUTDOWN_TIMEOUT is %s, which leaves calls no time: %s of it are for workers and telemetry. "+
			"Set it to more than %s", c.ShutdownTimeout, stopReserve, leastShutdown(c.DrainDelay)))
	case c.DrainDelay >= left:
		errs = append(errs, fmt.Errorf("CHASSIS_DRAIN_DELAY is %s, which leaves calls no time: CHASSIS_SHUTDOWN_TIMEOUT is %s, "+
			"%s of it for workers and telemetry. Set the first to less than %s, or the second to more than %s",
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
