package admission

import (
	"context"
	"time"
)

// waiter is how a call waits in a line. It is used again by other calls.
type waiter struct {
	done  chan struct{} // has room for the one word that the call no longer waits
	timer *time.Timer   // nil until it is first needed
}

// await returns true when the call is no longer in the line, and false when it has waited for so long or ctx has ended.
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

// left is the time that the caller of a call still has.
func left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return forever
}
