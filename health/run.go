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

// grace is what a probe gets on top of its timeout to return with an error of its own, which says more than ours.
const grace = 100 * time.Millisecond

// maxReason bounds the text kept of a probe's error, in bytes.
const maxReason = 1024

// runner runs one check. Its loop owns the fields without a comment.
type runner struct {
	check  Check
	report func(result)  // called by the loop with each result
	first  chan struct{} // closed by the loop after the first result

	pending chan result // where the probe that has not returned yet will put its result; else nil
	started time.Time   // when that probe was called
}

// loop runs the check until ctx ends. A probe that hangs then is left in r.pending.
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

// run probes once, or waits no longer on a probe that still hangs, and returns false where ctx ended first.
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

// probe calls c.Probe and puts the result into done, which has room for it, whatever the probe does but hang.
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
		// Read here and not where it is shown: an Error method that panics is the probe's panic.
		res.reason = clip(redact.Values(err.Error())) // errors of drivers quote the address that they were given
	}
}

func clip(s string) string {
	if len(s) > maxReason {
		return s[:maxReason] + "..."
	}
	return s
}

// jitter returns d varied by up to a tenth either way.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))
}
