package inbound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// HTTPLimits bound the cost of one HTTP request.
type HTTPLimits struct {
	// MaxBody is the largest request body in bytes before decoding. Zero means no limit. For a
	// [Server.Route] the limit of its record applies.
	MaxBody int64
	// BodyTimeout is the longest pause within a request body. A slow body that keeps moving is
	// not cut. Zero means no limit.
	BodyTimeout time.Duration
	// WriteTimeout is the longest time that a write of up to 64 KiB may wait for the reader. A
	// larger write has this time for each 64 KiB. It does not run while nothing is written, so an
	// answer may begin late and a stream may be quiet. It replaces the WriteTimeout of the
	// http.Server, which should be zero. If it is zero, that one stays in force.
	//
	// The system buffers up to some MiB for a reader, and accepts more when about a third of that
	// is read. So a reader should read this much within the timeout.
	WriteTimeout time.Duration
}

// limitedBody is a request body with a limit of size and of pauses. It remembers which one was
// exceeded.
type limitedBody struct {
	io.ReadCloser
	length   int64 // as announced; -1 if it was not
	arrived  int64 // bytes of it
	most     int64 // that it may be; -1 for no limit
	left     int64 // of these
	reads    stallLimit
	lends    bool // HTTP/1: net/http reads what the handler has not, before it answers
	complete atomic.Bool
	unread   atomic.Bool // it could not be decoded
	tooLarge atomic.Bool // of a stream both ways the answer may be written while another goroutine reads
	tooSlow  atomic.Bool
	tooLate  atomic.Bool // the call that it belongs to is over
	broken   atomic.Bool // it could not be read to its end
	refused  bool        // it is not read; set before any read
	foreign  bool        // it is not JSON by its media type, and not read; set before any read
	stream   bool        // it is one message after the other; set before any read
	header   http.Header // of the request
	pipe     *restPipe   // of the call that it is a stream for; set before any read
	encoded  bool        // it is compressed, and not read; set before any read
}

// limitRequest puts the limits on the answer, and on the request's body if it has one.
func limitRequest(h *httpCall, r *http.Request, limits HTTPLimits) {
	conn := deadlinerOf(h.writer)
	h.writes = stallLimit{server: h.server, conn: conn, timeout: limits.WriteTimeout}
	if limits.WriteTimeout > 0 {
		if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
			_ = conn.SetWriteDeadline(time.Time{}) // which counts from the request on
		}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	h.body = limitedBody{ReadCloser: r.Body, length: r.ContentLength, most: -1, left: -1, lends: r.ProtoMajor == 1, header: r.Header}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		h.body.encoded = true
	}
	h.body.reads = stallLimit{server: h.server, conn: conn, reads: true, timeout: limits.BodyTimeout}
	if limits.MaxBody > 0 {
		h.body.most, h.body.left = limits.MaxBody, limits.MaxBody
	}
	r.Body = &h.body
}

// refusedBody is how long the body of a refused request may stand still.
const refusedBody = time.Second

// answerUnread limits the wait of a refused request's answer for the body to refusedBody. By
// HTTP/1 net/http reads up to 256 KiB of the body before it answers, so that the connection can
// serve further requests; without these data it closes the connection. Full duplex would answer
// at once, but net/http panics if it then reads a body that no handler has read.
func answerUnread(h *httpCall) {
	if h.request.ProtoMajor != 1 || h.request.ContentLength == 0 {
		return
	}
	if h.body.ReadCloser == nil { // the request has no limits yet
		_ = deadlinerOf(h.writer).SetReadDeadline(time.Now().Add(refusedBody)) // a writer in memory waits for nothing
		return
	}
	h.body.reads.shorten(refusedBody)
}

// endBody ends the body when the time of its call is over. After the request it does nothing.
func endBody(h *httpCall) {
	h.life.Lock()
	defer h.life.Unlock()
	if h.ended || h.body.ReadCloser == nil || h.body.complete.Load() {
		return
	}
	h.body.tooLate.Store(true)
	_ = h.body.reads.replace(longAgo) // a writer in memory has no deadline, and waits for nothing
}

// len returns the announced length of the body, false if it was not announced or is over the
// limit.
func (b *limitedBody) len() (int, bool) {
	return int(b.length), b.length >= 0 && (b.left < 0 || b.length <= b.left)
}

// unreadable records that the body could not be decoded, for err. The answer then quotes neither
// the body nor the error, which may be of the network and have addresses. The handler of a stream
// does not take what it has for all there was.
func (b *limitedBody) unreadable(err error) {
	b.unread.Store(true)
	if b.pipe == nil {
		return
	}
	switch {
	case b.tooLarge.Load():
		b.pipe.spoil(status.Error(codes.ResourceExhausted, bodyTooLarge))
	case b.broken.Load():
		b.pipe.spoil(status.Error(codes.Canceled, context.Canceled.Error()))
	default:
		b.pipe.spoil(status.Error(codes.InvalidArgument, err.Error()))
	}
}

// atMost lowers the limit of an unread body.
func (b *limitedBody) atMost(limit int64) {
	if b.left < 0 || limit < b.left {
		b.most, b.left = limit, limit
	}
}

// plain passes an unread body to a handler without decoding: up to limit bytes, 0 for no limit.
func (b *limitedBody) plain(limit int) {
	b.encoded, b.most = false, -1
	if limit > 0 {
		b.most = int64(limit)
	}
	b.left = b.most
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.encoded || b.foreign {
		b.unread.Store(true)
	}
	if b.refused || b.foreign || b.encoded {
		return 0, errRefused
	}
	if b.left >= 0 && b.length-b.arrived > b.left { // it is said to be too large
		err := b.tooLargeError()
		b.noteFailure(err)
		return 0, err
	}
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more than allowed shows that there are more
	}
	n, err := b.read(p)
	b.arrived += int64(n)
	if err == io.EOF || b.arrived == b.length { //nolint:errorlint // bodies return the value itself, and errors.Is costs an allocation per request
		b.complete.Store(true)
	}
	if b.left >= 0 {
		if int64(n) > b.left {
			n, err = int(b.left), b.tooLargeError()
		}
		b.left -= int64(n)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // as above
		b.noteFailure(err)
	}
	return n, err
}

// read reads, and waits at most for the limit.
func (b *limitedBody) read(p []byte) (int, error) {
	if b.complete.Load() {
		return b.ReadCloser.Read(p)
	}
	waits := b.reads.begin()
	defer waits.end()
	return b.ReadCloser.Read(p)
}

// lend gives net/http the time of one more read while it answers: by HTTP/1 it first reads the
// rest of the body, and would otherwise wait without end. It reports whether unlend must follow.
func (b *limitedBody) lend() bool { return b.lends && !b.complete.Load() && b.reads.lend() }

// unlend takes the time back: the connection is read while the handler runs, to detect that the
// caller has gone.
func (b *limitedBody) unlend() { b.reads.setDeadline(time.Time{}) }

// end removes the limits. net/http sets its own for the next request.
func (b *limitedBody) end() {
	b.lend()
	b.reads.stop()
}

// tooLargeError returns the error of http.MaxBytesReader, which handlers know and answer with
// 413.
func (b *limitedBody) tooLargeError() error { return &http.MaxBytesError{Limit: b.most} }

func (b *limitedBody) noteFailure(err error) {
	b.broken.Store(true)
	var slow interface{ Timeout() bool }
	if errors.As(err, new(*http.MaxBytesError)) {
		b.tooLarge.Store(true)
	}
	if errors.As(err, &slow) && slow.Timeout() {
		b.tooSlow.Store(true)
	}
}

const bodyTooLarge = "the request body is too large"

// bodyProblem returns the mistake in the request's body: 415, 413, 408 or 504, the name of the
// code if there is one, and the text for the caller. The answer is zero if there is none.
func bodyProblem(h *httpCall) (answer int, code, detail string) {
	switch {
	case h.body.encoded && h.body.unread.Load():
		return http.StatusUnsupportedMediaType, "", "a request body must not be compressed"
	case h.body.foreign && h.body.unread.Load():
		return http.StatusUnsupportedMediaType, "", "a request body must be JSON, with a Content-Type of application/json"
	case h.body.tooLarge.Load():
		return http.StatusRequestEntityTooLarge, "", bodyTooLarge
	case h.body.tooSlow.Load() && h.body.tooLate.Load():
		return http.StatusGatewayTimeout, rpcstatus.Name(codes.DeadlineExceeded), "the request body did not arrive within the time of the call"
	case h.body.tooSlow.Load():
		return http.StatusRequestTimeout, "", "the request body did not arrive in time"
	default:
		return 0, "", ""
	}
}
