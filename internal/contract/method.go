// Package contract turns what a service declares about its methods, in the options of paddock.v1, into one record per
// method, once, at registration. Every concern on a call's way works from that record; nothing is looked up while a call
// runs.
package contract

import (
	"time"

	"github.com/betmakers/paddock/internal/criticality"
)

// Method is what the chassis knows of one method. It is read-only once compiled, and safe for concurrent use.
type Method struct {
	// FullMethod is the method as it stands on the wire: "/package.Service/Method".
	FullMethod string
	// Name is the same without the leading slash: the value of the rpc_method label.
	Name string

	ClientStreams, ServerStreams bool

	// Timeout is the server's deadline where the caller's is later or missing. Zero means none.
	Timeout time.Duration
	// OwnTimeout says that Timeout is what the contract declares, or an operator has put over it, and no default.
	OwnTimeout bool

	// Callers may call, and nobody else; with none declared, any identity of the own trust domain. Public methods take
	// callers without an identity too, and then there are no Callers.
	Callers []Pattern
	Public  bool

	Criticality Criticality
	Objectives  Objectives

	// Repeatable says that a call may be sent again after a failure, at most MaxAttempts times in all.
	Repeatable  bool
	MaxAttempts int
	// HedgeAfter is how long a caller waits for an answer before it sends the call a second time. Zero means for ever.
	HedgeAfter time.Duration

	// MaxRequest is the largest request in bytes. Zero means the chassis's limit alone.
	MaxRequest int

	// Overridden says that an operator's override holds for the method.
	Overridden bool

	// Quiet methods, probes and reflection, leave no span, and no access-log line as long as they succeed.
	Quiet bool
}

// Unary reports whether neither side streams.
func (m *Method) Unary() bool { return !m.ClientStreams && !m.ServerStreams }

// TimeoutByREST is the server's deadline of a call by REST. A unary method that has no timeout of its own has the earlier
// of two defaults, of which byREST is the one for REST. Zero means none, here as there.
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

// Criticality says what a call is worth under overload.
type Criticality = criticality.Level

// The levels.
const (
	Sheddable = criticality.Sheddable
	Normal    = criticality.Normal
	Critical  = criticality.Critical
)

// Objectives are what a method promises. Zero fields promise nothing.
type Objectives struct {
	Availability float64       // percent of calls that do not fail by the service's fault
	Latency      float64       // percent of calls answered within Within
	Within       time.Duration // of the latency objective
}
