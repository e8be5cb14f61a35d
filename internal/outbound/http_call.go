package outbound

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/served"
)

// peerHTTP are the requests to one dependency.
type peerHTTP struct {
	client  *Client
	name    string
	next    http.RoundTripper
	timeout time.Duration
	metrics *httpClientMetrics
	budget  retryBudget

	component *served.Component
	pool      *pool
}

// httpClientCall is one request and, once there is an answer, its body.
type httpClientCall struct {
	io.ReadCloser // of the answer, as it came

	peer     *peerHTTP
	request  *http.Request // as the caller made it
	ctx      context.Context
	cancel   context.CancelFunc // nil if there is no deadline
	start    time.Time
	deadline time.Time // zero for none
	span     trace.Span
	sc       trace.SpanContext
	values   [2]string // of the headers of the first attempt: the trace's parent and the timeout
	attempts int
	status   int // of the answer; 0 if there is none
	ended    atomic.Bool
	within   served.Call // the call that is being served, nil outside of one

	connected bool // the pool counts it
}
