// Package served is what calls that a service makes may know of the call that it serves: the half of the chassis that
// makes calls asks it, and the half that serves them answers.
package served

import (
	"context"
	"time"

	"github.com/betmakers/paddock/internal/contract"
)

// CriticalityHeader carries what a call is worth with the calls that are made for it: critical or sheddable. Without it
// a call is worth what its method declares.
const CriticalityHeader = "paddock-criticality"

// Call is a call that is being served. Its methods may be called concurrently.
type Call interface {
	// Deadline is when the call has to be over, false for no such time.
	Deadline() (time.Time, bool)
	// Criticality is what the call is worth.
	Criticality() contract.Criticality
}

// Key is the context key of the [Call] within which a context was made.
type Key struct{}

// From returns the call within which ctx was made, nil outside of any.
func From(ctx context.Context) Call {
	call, _ := ctx.Value(Key{}).(Call)
	return call
}
