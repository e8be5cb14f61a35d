// Package fault has the rules of injected faults: which calls fail, how, and until when. It does
// not know how a call is made to fail.
package fault

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// Rule selects calls and their fault. Only Parse makes rules, and they do not change.
type Rule struct {
	// Ratio is the share of calls with the fault, more than 0 and at most 1.
	Ratio float64
	// Delay is the delay before the handler or the failure. Zero means none.
	Delay time.Duration
	// Code ends the call with Message. With OK the handler runs.
	Code    codes.Code
	Message string
	// Reset breaks the caller's connection, or only its stream if the transport can do that.
	Reset bool
	// After is the number of messages of a stream that pass before Code or Reset. Zero ends the
	// call before its handler.
	After int
	// For is the life of the rule. Zero means until it is removed.
	For time.Duration

	method string
	peer   contract.Pattern
	anyone bool
	wire   wire
}

// Ends reports whether the rule ends calls, and does not only delay them.
func (r *Rule) Ends() bool { return r.Code != codes.OK || r.Reset }

// Kind returns how the rule ends calls before their handlers: abort or reset.
func (r *Rule) Kind() string {
	if r.Reset {
		return "reset"
	}
	return "abort"
}

// Method returns the pattern of the methods that the rule applies to.
func (r *Rule) Method() string { return r.method }

// MatchMethod reports whether the rule applies to calls of m. A rule for a part of a stream never
// applies to a unary method.
func (r *Rule) MatchMethod(m *contract.Method) bool {
	if r.After > 0 && m.Unary() {
		return false
	}
	return r.method == "*" || contract.Wildcard(r.method, m.Name)
}

// MatchPeer reports whether the rule applies to calls of c. domain is the own trust domain.
func (r *Rule) MatchPeer(c contract.Caller, domain string) bool {
	return r.anyone || r.peer.Match(c, domain)
}

// String describes the rule for people: "10% of acme.v1.Wallet/* by web: 200ms late, then
// UNAVAILABLE".
func (r *Rule) String() string {
	var b strings.Builder
	if r.Ratio < 1 {
		b.WriteString(strconv.FormatFloat(r.Ratio*100, 'g', 6, 64) + "% of ")
	}
	b.WriteString(r.method)
	if !r.anyone {
		b.WriteString(" by " + r.peer.String())
	}
	b.WriteString(": " + r.Effect())
	return b.String()
}

// Effect is the part of String after the colon.
func (r *Rule) Effect() string {
	var parts []string
	if r.Delay > 0 {
		parts = append(parts, r.Delay.String()+" late")
	}
	if r.After > 0 {
		parts = append(parts, fmt.Sprintf("%d messages", r.After))
	}
	switch {
	case r.Reset:
		parts = append(parts, "reset")
	case r.Code != codes.OK:
		parts = append(parts, r.wire.Abort)
	}
	return strings.Join(parts, ", then ")
}

// MarshalJSON returns the rule as Parse has read it.
func (r *Rule) MarshalJSON() ([]byte, error) { return json.Marshal(r.wire) }
