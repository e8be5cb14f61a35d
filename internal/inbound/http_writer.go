package inbound

import (
	"io"
	"net/http"
	"time"
)

// An httpCall is its handler's http.ResponseWriter if the server's own writer is of neither
// protocol; see responseWriterOf.
var _ http.ResponseWriter = (*httpCall)(nil)

// Header returns the header of the answer. After the deadline has answered, it returns one that
// is not sent.
func (h *httpCall) Header() http.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return http.Header{}
	}
	h.shared = true
	return h.writer.Header()
}

// WriteHeader sends the header. Informational ones may come before the final one, as net/http
// allows.
func (h *httpCall) WriteHeader(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	if status < 200 { // these go out at once
		defer h.sends().end()
	} else if h.status == 0 {
		h.begun(status)
	}
	h.writer.WriteHeader(status)
}

func (h *httpCall) Write(b []byte) (int, error) {
	if h.raw != nil && len(b) == 1 && &b[0] == h.raw {
		return 1, nil // what the gateway writes between two parts of a file
	}
	return h.write(len(b), func(from, to int) (int, error) { return h.writer.Write(b[from:to]) })
}

// WriteString spares the writers of net/http a copy.
func (h *httpCall) WriteString(s string) (int, error) {
	return h.write(len(s), func(from, to int) (int, error) { return io.WriteString(h.writer, s[from:to]) })
}

const (
	// pieceSize is the number of bytes that must reach the reader within the write timeout.
	// Larger writes are split.
	pieceSize = 64 << 10
	// buffered is the size of net/http's buffer before the first write of an answer, for both
	// protocols.
	buffered = 2048
)

// write writes size bytes, a piece at a time.
func (h *httpCall) write(size int, piece func(from, to int) (int, error)) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return 0, http.ErrHandlerTimeout
	}
	if h.status == 0 {
		h.begun(http.StatusOK)
	}
	if h.kept += size; h.kept <= buffered {
		return piece(0, size)
	}
	for {
		to := min(n+pieceSize, size)
		sends := h.sends()
		m, err := piece(n, to)
		sends.end()
		n += m
		if err != nil || n >= size || m == 0 {
			return n, err
		}
	}
}

// sends marks the beginning of a write to the connection. The result ends it.
func (h *httpCall) sends() sending {
	h.kept = buffered // and no more of it
	s := sending{waits: h.writes.begin()}
	if h.body.lend() {
		s.lent = &h.body
	}
	return s
}

type sending struct {
	waits *watch       // nil for no limit
	lent  *limitedBody // nil where the body has arrived
}

func (s sending) end() {
	s.waits.end()
	if s.lent != nil {
		s.lent.unlend()
	}
}

// Flush sends what was written so far.
func (h *httpCall) Flush() { _ = h.FlushError() } // a caller that is gone is found by the next write

// FlushError sends what was written so far, and returns the error of that.
func (h *httpCall) FlushError() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return http.ErrHandlerTimeout
	}
	if h.status == 0 {
		h.begun(http.StatusOK) // a flush sends the header
	}
	flows(h)
	if h.writer.Header().Get("Content-Length") == "" { // else it is a download, which ends by itself
		auditStream(h)
	}
	defer h.sends().end()
	return http.NewResponseController(h.writer).Flush()
}

// SetWriteDeadline replaces the write timeout by the handler's own deadline, for the rest of the
// request.
func (h *httpCall) SetWriteDeadline(at time.Time) error { return h.writes.replace(at) }

// SetReadDeadline replaces the body timeout by the handler's own deadline, for the rest of the
// request.
func (h *httpCall) SetReadDeadline(at time.Time) error {
	if h.body.ReadCloser == nil {
		return deadlinerOf(h.writer).SetReadDeadline(at)
	}
	return h.body.reads.replace(at)
}

// EnableFullDuplex lets the handler of a request by HTTP/1 answer while it reads the body.
func (h *httpCall) EnableFullDuplex() error {
	return http.NewResponseController(h.writer).EnableFullDuplex()
}

// Unwrap lets http.ResponseController reach the writer of the server.
func (h *httpCall) Unwrap() http.ResponseWriter { return h.writer }

// sent returns the status for log and metrics: the one that the caller got, if it got the whole
// answer.
func (h *httpCall) sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.aborted, h.wasCut.Load() && !h.over:
		return http.StatusInternalServerError
	case h.status == 0:
		return http.StatusOK
	}
	return h.status
}

// begun records the status of an answer whose header is sent now, and completes the header. The
// caller holds mu, because a stream's handler does not run in the request's goroutine and must
// not write to the header itself.
func (h *httpCall) begun(status int) {
	h.status = status
	if h.quota != nil {
		h.writer.Header().Set("RateLimit-Policy", h.quota.Policy())
		h.writer.Header().Set("RateLimit", h.quota.State())
	}
}
