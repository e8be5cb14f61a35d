package inbound

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is the method's own deadline of one call, if it is earlier than the caller's. For a
// stream it is also the way in which a stop can end it. It is armed only when a handler calls
// Done, because most calls finish without.
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
		// It is armed now, so that Err and Done always agree: the timer of a past deadline has
		// fired when arm returns.
		return d.arm(parent, start).Err()
	}
	return nil
}

func (d *deadline) stop() {
	if armed := d.armed.Load(); armed != nil {
		armed.cancel(nil)
	}
}

// isEarlier reports whether at is before the deadline of ctx, if that has one.
func isEarlier(ctx context.Context, at time.Time) bool {
	deadline, ok := ctx.Deadline()
	return !ok || at.Before(deadline)
}

// boundedKey marks the context of a stream whose deadline is the method's.
type boundedKey struct{}

func byMethod(ctx context.Context) context.Context { return context.WithValue(ctx, boundedKey{}, true) }
