package health

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/betmakers/paddock/internal/redact"
)

// grace is the time after its timeout that a probe has to return its own error, which is more
// specific than the chassis's.
const grace = 100 * time.Millisecond

// maxReason bounds the stored text of a probe's error, in bytes.
const maxReason = 1024

// runner runs one check. Fields without a comment belong to its loop.
type runner struct {
	check  Check
	report func(result)  // called by the loop with each result
	first  chan struct{} // closed by the loop after the first result

	pending chan result // where the probe that has not returned yet will put its result; else nil
	started time.Time   // when that probe was called
}

// loop runs the check until ctx ends. A probe that still hangs is kept in r.pending.
func (r *runner) loop(ctx context.Context) {
	for first := true; ; first = false {
		res, ok := r.run(ctx)
		if !ok {
			return
		}
		r.report(res)
		if first {
			close(r.first)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(r.check.Interval)):
		}
	}
}

// run probes once, or waits for a probe that still hangs. It returns false if ctx ended first.
func (r *runner) run(ctx context.Context) (result, bool) {
	if r.pending != nil {
		select {
		case <-r.pending: // came too late to count
		default:
			return r.hung(), ctx.Err() == nil
		}
	}
	r.pending, r.started = make(chan result, 1), time.Now()
	go probe(ctx, r.check, r.pending)

	timer := time.NewTimer(r.check.Timeout + grace)
	defer timer.Stop()
	select {
	case res := <-r.pending:
		r.pending = nil
		return res, ctx.Err() == nil
	case <-timer.C:
		return r.hung(), true
	case <-ctx.Done():
		return result{}, false
	}
}

func (r *runner) hung() result {
	return result{
		start: r.started, duration: time.Since(r.started), failed: true,
		reason: fmt.Sprintf("the probe was called %v ago and has not returned; its timeout is %v",
			time.Since(r.started).Round(time.Millisecond), r.check.Timeout),
	}
}

// probe calls c.Probe and sends the result to done, which has room for it. It does so whatever
// the probe does, unless the probe hangs.
func probe(ctx context.Context, c Check, done chan<- result) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	res := result{start: time.Now(), failed: true, reason: "the probe ended its goroutine (runtime.Goexit) instead of returning"}
	defer func() {
		if v := recover(); v != nil {
			res.failed, res.degraded, res.stack = true, false, string(debug.Stack())
			res.reason = clip(redact.Values(fmt.Sprint("the probe panicked: ", v)))
		}
		res.duration = time.Since(res.start)
		done <- res
	}()
	err := c.Probe(ctx)
	_, res.degraded = errors.AsType[degraded](err)
	res.failed, res.reason = err != nil && !res.degraded, ""
	if err != nil {
		// The text is read here and not when it is shown, so that an Error method that panics
		// counts as a panic of the probe.
		res.reason = clip(redact.Values(err.Error())) // errors of drivers quote addresses
	}
}

func clip(s string) string {
	if len(s) > maxReason {
		return s[:maxReason] + "..."
	}
	return s
}

// jitter returns d varied by up to a tenth in both directions.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))
}
