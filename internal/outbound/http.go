package outbound

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/served"
)

// RoundTripper returns next with the pass of requests to one dependency: a span, metrics, trace
// headers, a deadline, and retries of repeatable requests within a retry budget of this
// RoundTripper. Name is a label of the metrics, so use few names. It fails if another metric has
// the same name.
//
// A request must end before the deadline of its context, less a reserve of up to 10 ms in which
// its maker can still react. timeout bounds a request whose context has no deadline, including
// all redirects that [http.Client] follows. With zero, such requests have no bound. Deadline and
// observation end when the body has been read to its end, or closed. A body that is never closed
// is never counted.
//
// Baggage is not sent, because the dependency does not belong to the service's own organization.
func (c *Client) RoundTripper(name string, next http.RoundTripper, timeout time.Duration) (http.RoundTripper, error) {
	metrics, err := newHTTPClientMetrics(name, c.cfg.NativeHistograms, c.cfg.Registerer)
	if err != nil {
		return nil, err
	}
	p := &peerHTTP{
		client: c, name: name, next: next, timeout: timeout, metrics: metrics, component: c.component("http:" + name),
		pool: newPool(next),
	}
	return p, metrics.bounded.Add(bounded.HTTPClient, name, p.pool.state)
}

// RoundTrip makes a request.
func (p *peerHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &httpClientCall{peer: p, request: r, start: time.Now()}
	c.begin()
	answer, err := c.exchange()
	if err != nil {
		endRequest(c, err)
		return nil, err
	}
	c.status = answer.StatusCode
	if answer.Body == http.NoBody || answer.StatusCode == http.StatusSwitchingProtocols {
		endRequest(c, nil) // nothing to wait for, or no longer HTTP
		return answer, nil
	}
	c.ReadCloser, answer.Body = answer.Body, c
	return answer, nil
}

// CloseIdleConnections does what [http.Client.CloseIdleConnections] asks for.
func (p *peerHTTP) CloseIdleConnections() {
	if next, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// begin sets the deadline and the span of the request.
func (c *httpClientCall) begin() {
	c.ctx = c.request.Context()
	if c.within = served.From(c.ctx); c.within != nil {
		c.within.Begin(c.peer.component, c.start)
	}
	c.deadline = c.peer.deadline(c.request, c.start)
	if !c.deadline.IsZero() {
		c.ctx, c.cancel = context.WithDeadline(c.ctx, c.deadline)
	}
	c.ctx, c.span, c.sc = startSpan(c.ctx, &c.peer.client.cfg, catalog.HTTPMethod(c.request.Method))
}

// deadline returns the time by which a request must end, zero if there is no bound. A request
// after a redirect has the deadline of the redirected request.
func (p *peerHTTP) deadline(r *http.Request, now time.Time) time.Time {
	if r.Response != nil && r.Response.Request != nil {
		if at, ok := r.Response.Request.Context().Deadline(); ok {
			return at
		}
	}
	if at, ok := r.Context().Deadline(); ok {
		return at.Add(-timeReserve(at.Sub(now)))
	}
	if p.timeout <= 0 {
		return time.Time{}
	}
	return now.Add(p.timeout)
}

// Read reads the body of the answer.
func (c *httpClientCall) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	switch {
	case err == io.EOF:
		endRequest(c, nil)
	case err != nil:
		endRequest(c, err)
	}
	return n, err
}

// Close ends the request, whatever is left of its answer.
func (c *httpClientCall) Close() error {
	err := c.ReadCloser.Close()
	endRequest(c, nil)
	return err
}
