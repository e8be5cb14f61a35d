// Package served is the interface of a call that is being served, for the calls that the service
// makes meanwhile. Package inbound implements it, package outbound uses it.
package served

import (
	"context"
	"time"

	"github.com/betmakers/paddock/internal/contract"
)

// CriticalityHeader is the header by which a call passes its worth to the calls made for it:
// critical or sheddable. Without it a call has the worth that its method declares.
const CriticalityHeader = "paddock-criticality"

// Call is a call that is being served. Its methods may be called concurrently.
type Call interface {
	// Deadline is the time by which the call must end, false for none.
	Deadline() (time.Time, bool)
	// Criticality is the worth of the call.
	Criticality() contract.Criticality
	// Begin records that the call begins to spend time on c, and End that it ends to.
	Begin(c *Component, at time.Time)
	End(c *Component, at time.Time)
}

// Component is something that calls spend time on beside their own code, such as another service:
// a value of a label of chassis_rpc_time_seconds_total. It is known by its address, so make it
// once.
type Component struct{ Name string }

// Key is the context key of the [Call] within which a context was made.
type Key struct{}

// From returns the served call of ctx, nil if there is none.
func From(ctx context.Context) Call {
	call, _ := ctx.Value(Key{}).(Call)
	return call
}
