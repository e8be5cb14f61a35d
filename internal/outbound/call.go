package outbound

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/served"
)

// clientCall is the state of the pass for one call.
type clientCall struct {
	method *clientMethod
	start  time.Time
	span   trace.Span         // nil if the call is not recorded
	cancel context.CancelFunc // of a deadline of its own, nil if it has none
	within served.Call        // the call that is being served, nil outside of one
}

// clientStreamCall lives as long as its stream.
type clientStreamCall struct {
	clientCall
	ctx   context.Context //nolint:containedctx // of the call, for its end
	ended atomic.Bool
}
