package middleware

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is the method's own deadline of one call, where it is earlier than the caller's. Its timer is armed only
// when somebody asks for Done, because most handlers finish without.
type deadline struct {
	after time.Duration // from the start of the call; zero: the caller's rules
	armed atomic.Pointer[armedDeadline]
}

type armedDeadline struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func (d *deadline) set(parent context.Context, start time.Time, timeout time.Duration) {
	if timeout <= 0 {
		return
	}
	if callers, ok := parent.Deadline(); !ok || start.Add(timeout).Before(callers) {
		d.after = timeout
	}
}

func (d *deadline) own() bool { return d.after > 0 }

func (d *deadline) at(start time.Time) time.Time { return start.Add(d.after) }

// arm returns the context that ends at the deadline, the same one for every caller.
func (d *deadline) arm(parent context.Context, start time.Time) context.Context {
	if armed := d.armed.Load(); armed != nil {
		return armed.ctx
	}
	ctx, cancel := context.WithDeadline(parent, d.at(start))
	armed := &armedDeadline{ctx, cancel}
	if !d.armed.CompareAndSwap(nil, armed) {
		cancel()
		return d.armed.Load().ctx
	}
	return ctx
}

func (d *deadline) err(parent context.Context, start time.Time) error {
	if armed := d.armed.Load(); armed != nil {
		return armed.ctx.Err()
	}
	if err := parent.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at(start)) {
		// Armed now, so that Err and Done never disagree: the timer of a past deadline has fired when arm returns.
		return d.arm(parent, start).Err()
	}
	return nil
}

func (d *deadline) stop() {
	if armed := d.armed.Load(); armed != nil {
		armed.cancel()
	}
}

// earlier returns the shorter of two timeouts of which zero means none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
