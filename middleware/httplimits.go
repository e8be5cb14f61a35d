package middleware

import (
	"errors"
	"io"
	"net/http"
	"time"
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
	control  *http.ResponseController
	timeout  time.Duration
	begun    bool
	tooLarge bool
	tooSlow  bool
}

// limit puts the limits on the request's body, if it has one.
func (h *HTTPCall) limit(r *http.Request, limits HTTPLimits) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	if limits.MaxBody > 0 {
		r.Body = http.MaxBytesReader(h.writer, r.Body, limits.MaxBody)
	}
	h.body = &limitedBody{ReadCloser: r.Body, timeout: limits.BodyTimeout}
	if limits.BodyTimeout > 0 {
		h.body.control = http.NewResponseController(h.writer)
	}
	r.Body = h.body
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		b.deadline(time.Now().Add(b.timeout))
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	b.deadline(time.Time{}) // what follows is the answer, and the server's wait for the next request
	var tooLarge *http.MaxBytesError
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &tooLarge):
		b.tooLarge = true
	case errors.As(err, &slow) && slow.Timeout():
		b.tooSlow = true
	}
	return n, err
}

func (b *limitedBody) deadline(at time.Time) {
	if b.control != nil {
		_ = b.control.SetReadDeadline(at) // a writer that has none cannot be slow: it is in memory
	}
}

// bodyProblem reports what was wrong with the request's body, if it was the body: 413 or 408 and the text for the
// caller; zero if nothing was.
func (h *HTTPCall) bodyProblem() (status int, detail string) {
	switch {
	case h.body == nil:
		return 0, ""
	case h.body.tooLarge:
		return http.StatusRequestEntityTooLarge, "the request body is too large"
	case h.body.tooSlow:
		return http.StatusRequestTimeout, "the request body did not arrive in time"
	default:
		return 0, ""
	}
}
