package outbound

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/served"
)

// The time that a served call reserves when it makes a call: a twentieth of the time that is
// left, up to this bound. In it, the answer of the called service, above all a refusal, returns
// and becomes the caller's answer before the caller gives up.
const (
	mostReserve  = 10 * time.Millisecond
	reserveShare = 20
)

// refusedSpent is the reason for which a call was not sent: no time is left. It is a label of
// chassis_rpc_client_refused_total.
const refusedSpent = "spent"

// limit returns ctx with the deadline for the call, and an error if no time is left. within is
// the call that is being served, nil outside of one.
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

// reserved returns the time by which a call made within another must end, and whether that is
// before its own deadline.
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

// timeReserve is the part of the remaining time that a client reserves for its work after the
// deadline.
func timeReserve(left time.Duration) time.Duration {
	return max(0, min(left/reserveShare, mostReserve))
}

// refuse returns an error for a call without any time left. Other calls are sent: the durations
// of earlier calls say little about this one.
func refuse(c *clientCall, left time.Duration) error {
	if left > 0 {
		return nil
	}
	m := c.method
	m.peer.client.refused.WithLabelValues(m.name, m.peer.name, refusedSpent).Inc()
	return status.Error(codes.DeadlineExceeded, "not sent: no time is left for the call")
}
