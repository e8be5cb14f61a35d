package admission

import (
	"context"
	"time"
)

// waiter lets a call wait in a line. It is reused by other calls.
type waiter struct {
	done  chan struct{} // has room for the one word that the call no longer waits
	timer *time.Timer   // nil until it is first needed
}

// await returns true when the call has left the line, and false after most or when ctx has ended.
func (w *waiter) await(ctx context.Context, most time.Duration) bool {
	var late <-chan time.Time
	if most < forever {
		if w.timer == nil {
			w.timer = time.NewTimer(most)
		} else {
			w.timer.Reset(most)
		}
		defer w.timer.Stop()
		late = w.timer.C
	}
	select {
	case <-w.done:
		return true
	case <-late:
	case <-ctx.Done():
	}
	return false
}

// left is the time until the deadline of a call.
func left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return forever
}
