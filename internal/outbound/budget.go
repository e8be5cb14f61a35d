package outbound

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/served"
)

// What a served call keeps back of its time when it calls on: a twentieth of what is left, and not more than this. In
// that time the answer of the called service, a refusal above all, comes back and becomes the caller's answer before the
// caller has given up.
const (
	mostReserve  = 10 * time.Millisecond
	reserveShare = 20
)

// refusedSpent is why a call was not sent: no time is left. It is a label of chassis_rpc_client_refused_total.
const refusedSpent = "spent"

// limit returns ctx with the deadline that is left for the call, and an error if none is.
// within is the call that is being served, nil outside of any.
func limit(ctx context.Context, c *clientCall, within served.Call) (context.Context, error) {
	at, limited := ctx.Deadline()
	own := false
	if limited {
		at, own = reserved(within, at, c.start)
	}
	if timeout := c.method.timeout; timeout > 0 {
		if end := c.start.Add(timeout); !limited || end.Before(at) {
			at, limited, own = end, true, !c.method.peer.configured // gRPC's own costs less than another context
		}
	}
	if !limited {
		return ctx, nil
	}
	if own {
		ctx, c.cancel = context.WithDeadline(ctx, at)
	}
	return ctx, refuse(c, at.Sub(c.start))
}

// reserved returns when a call made within another has to be over, and whether that is before its own deadline.
func reserved(within served.Call, own, now time.Time) (time.Time, bool) {
	if within == nil {
		return own, false
	}
	end, ok := within.Deadline()
	if !ok || own.After(end) { // work that was taken out of the call has its own time
		return own, false
	}
	end = end.Add(-timeReserve(end.Sub(now)))
	if !end.Before(own) {
		return own, false
	}
	return end, true
}

// timeReserve is what a client keeps of the time that is left, for what it still has to do when the time is up.
func timeReserve(left time.Duration) time.Duration {
	return max(0, min(left/reserveShare, mostReserve))
}

// refuse returns an error for a call for which no time is left. Any other is sent: how long others took says little about
// how long this one will.
func refuse(c *clientCall, left time.Duration) error {
	if left > 0 {
		return nil
	}
	m := c.method
	m.peer.client.refused.WithLabelValues(m.name, m.peer.name, refusedSpent).Inc()
	return status.Error(codes.DeadlineExceeded, "not sent: no time is left for the call")
}
