package inbound

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

// deadline is the method's own deadline of one call, where it is earlier than the caller's, and for a stream the end that a
// stop may put to it. It is armed only when a handler asks for Done, because most finish without.
type deadline struct {
	after  time.Duration // from the start of the call; zero: the caller's rules
	stream bool          // it can be ended
	armed  atomic.Pointer[armedDeadline]
}

type armedDeadline struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (d *deadline) set(parent context.Context, start time.Time, timeout time.Duration) {
	if timeout <= 0 {
		return
	}
	if isEarlier(parent, start.Add(timeout)) {
		d.after = timeout
	}
}

func (d *deadline) own() bool { return d.after > 0 || d.stream }

func (d *deadline) at(start time.Time) time.Time { return start.Add(d.after) }

// arm returns the context that ends at the deadline, the same one for every caller.
func (d *deadline) arm(parent context.Context, start time.Time) context.Context {
	if armed := d.armed.Load(); armed != nil {
		return armed.ctx
	}
	armed := d.context(parent, start)
	if !d.armed.CompareAndSwap(nil, armed) {
		armed.cancel(nil)
		return d.armed.Load().ctx
	}
	return armed.ctx
}

func (d *deadline) context(parent context.Context, start time.Time) *armedDeadline {
	if !d.stream {
		ctx, cancel := context.WithDeadline(parent, d.at(start))
		return &armedDeadline{ctx, func(error) { cancel() }}
	}
	ctx, cancel := context.WithCancelCause(parent)
	if d.after <= 0 {
		return &armedDeadline{ctx, cancel}
	}
	ctx, stop := context.WithDeadline(ctx, d.at(start))
	return &armedDeadline{ctx, func(cause error) {
		cancel(cause)
		stop()
	}}
}

// end ends the context of a stream, with a cause.
func (d *deadline) end(parent context.Context, start time.Time, cause error) {
	d.arm(parent, start)
	d.armed.Load().cancel(cause)
}

func (d *deadline) err(parent context.Context, start time.Time) error {
	if armed := d.armed.Load(); armed != nil {
		return armed.ctx.Err()
	}
	if err := parent.Err(); err != nil {
		return err
	}
	if d.after > 0 && !time.Now().Before(d.at(start)) {
		// Armed now, so that Err and Done never disagree: the timer of a past deadline has fired when arm returns.
		return d.arm(parent, start).Err()
	}
	return nil
}

func (d *deadline) stop() {
	if armed := d.armed.Load(); armed != nil {
		armed.cancel(nil)
	}
}

// explainDeadline notes for operators which deadline has ended a call, where one has.
func (c *call) explainDeadline(out outcome) {
	if out.code == codes.DeadlineExceeded && c.reason() == "" && c.Err() != nil {
		c.note(c.whichDeadline())
	}
}

func (c *call) whichDeadline() string {
	limit := c.method.Timeout
	if s := restOf(c.stream); s != nil && s.limit > 0 {
		limit = s.limit
	}
	byTransport := c.parent.Value(boundedKey{}) != nil
	switch {
	case !byTransport && (c.deadline.after <= 0 || c.deadline.after != limit):
		return "the caller's deadline"
	case c.method.OwnTimeout:
		return "the method's timeout of " + limit.String()
	case limit != c.method.Timeout:
		return "the timeout of calls by REST whose method declares none, " + limit.String()
	default:
		return "the timeout of methods that declare none, " + limit.String()
	}
}
