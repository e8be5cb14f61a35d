package middleware

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
)

// HTTPLimits bound what one HTTP request may cost.
type HTTPLimits struct {
	// MaxBody is the largest request body in bytes, read before it is decoded. Zero means no limit.
	MaxBody int64
	// BodyTimeout is the time in which the body must have arrived. Zero means no limit.
	BodyTimeout time.Duration
	// WriteTimeout is the time that each flushed part of a streamed answer has to reach the caller; it should be the
	// http.Server's own, which it renews. Zero leaves the server's.
	WriteTimeout time.Duration
}

// limitedBody is a request body that must arrive in time and must not be too large, and remembers which it was not.
type limitedBody struct {
	io.ReadCloser
	length   int64         // as announced; -1 if it was not
	left     int64         // until it is too large; -1 for no limit
	conn     readDeadliner // nil if there is no time limit
	by       time.Time     // when it must have arrived; zero for no limit
	ofCall   bool          // that is when the call of the request ends
	ended    bool          // it has arrived
	tooLarge atomic.Bool   // of a stream both ways the answer may be written while another goroutine reads
	tooSlow  atomic.Bool
}

// readDeadliner is what the writers of net/http implement for [http.ResponseController].
type readDeadliner interface{ SetReadDeadline(time.Time) error }

// limit puts the limits on the request's body, if it has one.
func (h *httpCall) limit(r *http.Request, limits HTTPLimits) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	h.body = limitedBody{ReadCloser: r.Body, length: r.ContentLength, left: -1}
	if limits.MaxBody > 0 {
		h.body.left = limits.MaxBody
	}
	if limits.BodyTimeout > 0 {
		h.body.conn, _ = h.writer.(readDeadliner) // a writer in memory has none, and cannot be slow
		// From now on, not from the first read: net/http itself waits for a body that no handler has read.
		h.body.by = time.Now().Add(limits.BodyTimeout)
		h.body.deadline(h.body.by)
	}
	r.Body = &h.body
}

// boundBody has the body end with the call that it belongs to, where that comes before its own deadline.
func (h *httpCall) boundBody(timeout time.Duration) {
	b, by := &h.body, time.Now().Add(timeout)
	if b.ReadCloser == nil || b.ended || !b.by.IsZero() && b.by.Before(by) {
		return
	}
	b.by, b.ofCall = by, true
	b.conn, _ = h.writer.(readDeadliner)
	b.deadline(by)
}

// Len returns the announced length of the body, false if it was not announced or is more than is read.
func (b *limitedBody) Len() (int, bool) {
	return int(b.length), b.length >= 0 && (b.left < 0 || b.length <= b.left)
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more than allowed tells that there are more
	}
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 {
		if int64(n) > b.left {
			n, err = int(b.left), errTooLarge
		}
		b.left -= int64(n)
	}
	if err != nil {
		b.end(err)
	}
	return n, err
}

var errTooLarge = errors.New("the request body is too large")

// end takes the deadline away from a body that has arrived, because what follows is the answer and the server's wait for
// the next request. Any other body keeps it: net/http reads on when the handler is done, and would wait for ever.
func (b *limitedBody) end(err error) {
	if err == io.EOF { //nolint:errorlint // bodies return the value itself, and errors.Is costs an allocation per request
		b.ended = true
		b.deadline(time.Time{})
		return
	}
	b.noteFailure(err)
}

func (b *limitedBody) noteFailure(err error) {
	var slow interface{ Timeout() bool }
	if errors.Is(err, errTooLarge) {
		b.tooLarge.Store(true)
	}
	if errors.As(err, &slow) && slow.Timeout() {
		b.tooSlow.Store(true)
	}
}

func (b *limitedBody) deadline(at time.Time) {
	if b.conn != nil {
		_ = b.conn.SetReadDeadline(at) // a connection that is gone is found by the read
	}
}

// bodyProblem reports what was wrong with the request's body: 413, 408 or 504, the name of the code if there is one, and
// the text for the caller, or zero.
func (h *httpCall) bodyProblem() (status int, code, detail string) {
	switch {
	case h.body.tooLarge.Load():
		return http.StatusRequestEntityTooLarge, "", "the request body is too large"
	case h.body.tooSlow.Load() && h.body.ofCall:
		return http.StatusGatewayTimeout, codeName(codes.DeadlineExceeded), "the request body did not arrive within the time of the call"
	case h.body.tooSlow.Load():
		return http.StatusRequestTimeout, "", "the request body did not arrive in time"
	default:
		return 0, "", ""
	}
}
