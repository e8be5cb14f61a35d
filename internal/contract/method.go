// Package contract compiles the declarations of a service's methods, in the options of
// paddock.v1, into one record per method, once, at registration. All steps of a call use that
// record, so that nothing is looked up while a call runs.
package contract

import (
	"strings"
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

// Method is the record of one method. It is read-only once compiled, and safe for concurrent use.
type Method struct {
	// FullMethod is the name on the wire: "/package.Service/Method".
	FullMethod string
	// Name is the same without the leading slash: the value of the rpc_method label.
	Name string

	ClientStreams, ServerStreams bool

	// Timeout is the server's deadline if the caller has none or a later one. Zero means none.
	Timeout time.Duration
	// OwnTimeout reports that Timeout is declared in the contract or set by an operator, and is
	// no default.
	OwnTimeout bool

	// Callers are the only callers allowed. If empty, every identity of the own trust domain is
	// allowed. Public methods also accept callers without an identity, and have no Callers.
	Callers []Pattern
	Public  bool

	Criticality Criticality
	Objectives  Objectives

	// Repeatable reports that a failed call may be retried, up to MaxAttempts attempts in total.
	Repeatable  bool
	MaxAttempts int
	// HedgeAfter is the time that a caller waits for an answer before it sends the call a second
	// time. Zero disables hedging.
	HedgeAfter time.Duration

	// MaxRequest is the largest request in bytes. Zero means that only the chassis's limit
	// applies.
	MaxRequest int

	// Events are the fields for the ids of server-sent events.
	Events Events

	// Deprecated reports that the proto declares the method or its service deprecated.
	Deprecated bool

	// Overridden reports that an operator's override applies to the method.
	Overridden bool

	// Quiet methods, probes and reflection, leave no span, and no access-log line while they
	// succeed.
	Quiet bool
}

// Unary reports whether neither side streams.
func (m *Method) Unary() bool { return !m.ClientStreams && !m.ServerStreams }

// TimeoutByREST is the server's deadline of a REST call. For a unary method without its own
// timeout it is the earlier of two defaults, of which byREST is the one for REST. Zero means none
// for both.
func (m *Method) TimeoutByREST(byREST time.Duration) time.Duration {
	if m.OwnTimeout || !m.Unary() || byREST == 0 || m.Timeout > 0 && m.Timeout < byREST {
		return m.Timeout
	}
	return byREST
}

// Kind names the shape of the method for people.
func (m *Method) Kind() string {
	switch {
	case m.Unary():
		return "unary"
	case !m.ClientStreams:
		return "server stream"
	case !m.ServerStreams:
		return "client stream"
	default:
		return "bidirectional stream"
	}
}

// Criticality is the worth of a call in an overload.
type Criticality = criticality.Level

// The levels.
const (
	Sheddable = criticality.Sheddable
	Normal    = criticality.Normal
	Critical  = criticality.Critical
)

// Objectives are the promises of a method. Zero fields promise nothing.
type Objectives struct {
	Availability float64       // percent of calls that do not fail by the service's fault
	Latency      float64       // percent of calls answered within Within
	Within       time.Duration // of the latency objective
}

// infrastructure are services that binaries link but that are not services of the fleet. Their
// callers choose deadlines and retries.
var infrastructure = []string{"grpc.", "google.", "opentelemetry."}

// Infrastructure reports whether m belongs to gRPC, Google's APIs or telemetry and not to a service
// of the fleet.
func (m *Method) Infrastructure() bool {
	for _, prefix := range infrastructure {
		if strings.HasPrefix(m.Name, prefix) {
			return true
		}
	}
	return false
}
