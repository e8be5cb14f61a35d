package outbound

import (
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/betmakers/paddock/internal/timeouts"
)

// Limits of retries. If a dependency asks for a longer pause than mostRetryAfter, the request is
// not retried.
const (
	mostAttempts   = 3
	firstBackoff   = 50 * time.Millisecond
	mostRetryAfter = 5 * time.Second
	mostDrained    = 4 << 10 // bytes of a discarded answer that are read to save its connection, and for how long
	longestDrained = 20 * time.Millisecond
)

// exchange sends the request, and retries it if that may help and is allowed.
func (c *httpClientCall) exchange() (*http.Response, error) {
	for {
		answer, err := c.attempt()
		result := c.resultOf(answer, err)
		c.peer.account(result)
		if result.reason == "" || !c.mayRepeat(result) {
			return answer, err
		}
		pause, ok := c.pause(answer)
		if !ok {
			return answer, err
		}
		if !c.peer.budget.allows() {
			c.peer.metrics.withheld.Inc()
			return answer, err
		}
		discard(answer)
		disconnect(c, time.Now())
		if err := c.sleep(pause); err != nil {
			return nil, err
		}
		c.peer.metrics.retried(result.reason)
	}
}

// account adds the result of an attempt to the budget. A result that does not concern the
// dependency changes nothing.
func (p *peerHTTP) account(r attemptResult) {
	switch {
	case r.served:
		p.budget.succeeded()
	case r.failed:
		p.budget.failed()
	}
}

// attempt sends the request once.
func (c *httpClientCall) attempt() (*http.Response, error) {
	c.attempts++
	r, err := c.outgoing()
	if err != nil {
		return nil, err
	}
	connect(c, time.Now())
	answer, err := c.peer.next.RoundTrip(r)
	if err != nil {
		disconnect(c, time.Now())
		return nil, err
	}
	c.peer.pool.answered(answer)
	return answer, nil
}

// outgoing returns the request with its headers, a new one for each attempt: the transport may
// still hold the previous one.
func (c *httpClientCall) outgoing() (*http.Request, error) {
	r := c.request.WithContext(c.ctx)
	if c.attempts > 1 && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	header := maps.Clone(r.Header)
	if header == nil {
		header = make(http.Header, 3)
	}
	r.Header = header
	values := &c.values
	if c.attempts > 1 {
		values = new([2]string)
	}
	injectHTTP(&c.peer.client.cfg, header, c.sc, values[:1:1])
	if left := time.Until(c.deadline); left > 0 && header[timeouts.Header] == nil {
		values[1] = timeouts.Format(left)
		header[timeouts.Header] = values[1:]
	}
	return r, nil
}

// attemptResult is the result of an attempt for the budget. An answer such as 500, and the end of
// the caller's own deadline, count neither as served nor as failed.
type attemptResult struct {
	served, failed bool
	reason         retryReason
	unsent         bool // the dependency has surely not seen the request
}

func (c *httpClientCall) resultOf(answer *http.Response, err error) attemptResult {
	switch {
	case err == nil:
		return resultOfAnswer(answer)
	case c.ctx.Err() != nil, !c.deadline.IsZero() && !time.Now().Before(c.deadline): // the caller does not wait any longer
		return attemptResult{}
	}
	r := attemptResult{failed: isOfConnection(err), unsent: isUnsent(err)}
	if r.failed && !isNotFound(err) {
		r.reason = connectionFailed
	}
	return r
}

func resultOfAnswer(answer *http.Response) attemptResult {
	failed := func(reason retryReason) attemptResult { return attemptResult{failed: true, reason: reason} }
	switch code := answer.StatusCode; code {
	case http.StatusBadGateway:
		return failed("502")
	case http.StatusServiceUnavailable:
		return failed("503")
	case http.StatusGatewayTimeout:
		return failed("504")
	case http.StatusTooManyRequests:
		if _, asked := retryAfter(answer, time.Now()); asked {
			return failed("429")
		}
		return attemptResult{}
	default:
		return attemptResult{served: code < http.StatusInternalServerError}
	}
}

// mayRepeat reports whether the request may be sent again. A request that was never sent may
// always. Others follow RFC 9110, section 9.2.2, or need an Idempotency-Key. The body must be
// readable again.
func (c *httpClientCall) mayRepeat(last attemptResult) bool {
	r := c.request
	if c.attempts >= mostAttempts || c.ctx.Err() != nil {
		return false
	}
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	if last.unsent {
		return true
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return len(r.Header["Idempotency-Key"]) > 0 || len(r.Header["X-Idempotency-Key"]) > 0 // both of which net/http heeds too
}

// pause returns the time to wait before the next attempt, and false if the deadline does not
// allow one.
func (c *httpClientCall) pause(answer *http.Response) (time.Duration, bool) {
	pause := rand.N(firstBackoff << (c.attempts - 1))
	now := time.Now()
	if answer != nil {
		asked, _ := retryAfter(answer, now)
		if asked > mostRetryAfter {
			return 0, false
		}
		pause += asked
	}
	return pause, c.deadline.IsZero() || now.Add(pause).Before(c.deadline)
}

// retryAfter returns the pause that an answer asks for, in seconds or until a date, false for
// none.
func retryAfter(answer *http.Response, now time.Time) (time.Duration, bool) {
	value := answer.Header.Get("Retry-After")
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}

// discard returns the connection of an answer to the pool, if a few short reads are enough.
func discard(answer *http.Response) {
	if answer == nil {
		return
	}
	if answer.ContentLength <= mostDrained {
		late := time.AfterFunc(longestDrained, func() { _ = answer.Body.Close() }) // which ends the read
		defer late.Stop()
		_, _ = io.CopyN(io.Discard, answer.Body, mostDrained) // of no interest
	}
	_ = answer.Body.Close()
}

// sleep waits for d, or until the end of the request.
func (c *httpClientCall) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}
