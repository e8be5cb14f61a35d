// Package fault holds the rules by which a service fails on purpose: which calls, how, and until when. It knows nothing of
// how a call is made to fail.
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

// Rule says of some calls how they fail. Rules come from Parse alone, and do not change.
type Rule struct {
	// Ratio is the share of the calls that meet the fault, more than 0 and at most 1.
	Ratio float64
	// Delay comes first. Zero is none.
	Delay time.Duration
	// Code ends the call with Message. OK leaves it to its handler.
	Code    codes.Code
	Message string
	// Reset breaks the caller's connection, or its stream where the transport can do that alone.
	Reset bool
	// After is how many messages of a stream go through before Code or Reset. Zero ends the call before its handler.
	After int
	// For is how long the rule stands. Zero is until it is removed.
	For time.Duration

	method string
	peer   contract.Pattern
	anyone bool
	wire   wire
}

// Ends reports whether the rule ends calls, and not only delays them.
func (r *Rule) Ends() bool { return r.Code != codes.OK || r.Reset }

// Kind names how a rule that ends calls does so before their handlers: abort or reset.
func (r *Rule) Kind() string {
	if r.Reset {
		return "reset"
	}
	return "abort"
}

// Method returns the pattern of the methods that the rule is about.
func (r *Rule) Method() string { return r.method }

// MatchMethod reports whether the rule is about calls of m. A unary method sends one message: it has no part of a stream.
func (r *Rule) MatchMethod(m *contract.Method) bool {
	if r.After > 0 && m.Unary() {
		return false
	}
	return r.method == "*" || contract.Wildcard(r.method, m.Name)
}

// MatchPeer reports whether the rule is about calls of c. domain is the own trust domain.
func (r *Rule) MatchPeer(c contract.Caller, domain string) bool {
	return r.anyone || r.peer.Match(c, domain)
}

// String tells the rule to a person: "10% of acme.v1.Wallet/* by web: 200ms late, then UNAVAILABLE".
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

// Effect is the part of String behind the colon.
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

// MarshalJSON returns the rule as Parse read it.
func (r *Rule) MarshalJSON() ([]byte, error) { return json.Marshal(r.wire) }
