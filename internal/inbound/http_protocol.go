package inbound

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"os"
)

// responseWriterOf returns h with the optional methods of net/http's writers, so that the type
// assertions of a handler have the same results as without the pass.
func responseWriterOf(h *httpCall) http.ResponseWriter {
	switch h.writer.(type) {
	case http.Hijacker:
		return http1Writer{h}
	case http.Pusher:
		return http2Writer{h}
	default:
		return h
	}
}

// http1Writer is the writer of a request by HTTP/1.
type http1Writer struct{ *httpCall }

var (
	_ http.Hijacker   = http1Writer{}
	_ http.Flusher    = http1Writer{}
	_ io.ReaderFrom   = http1Writer{}
	_ io.StringWriter = http1Writer{}

	_ http.CloseNotifier = http1Writer{} //nolint:staticcheck // deprecated, and asked for all the same: gin's Stream panics without
)

// Hijack gives the handler the connection, without any deadline. The request counts as 101 unless
// it was answered before, and is logged and measured when the handler returns. The handler has to
// close the connection. After a panic it is closed for it.
func (w http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h := w.httpCall
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil, nil, http.ErrHandlerTimeout
	}
	h.writes.stop() // first: the connection is the request's no more
	h.body.reads.stop()
	conn, buffers, err := h.writer.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.hijacked = conn
	h.server.streams.enterPlain(h, conn)
	auditStream(h)
	if h.status == 0 {
		h.status = http.StatusSwitchingProtocols
	}
	return conn, buffers, nil
}

// ReadFrom lets the system send a file. Other readers may pause, so their time must not count as
// that of a write.
func (w http1Writer) ReadFrom(src io.Reader) (int64, error) {
	part, isPart := src.(*io.LimitedReader)
	if !isPart {
		part = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	sender, ok := w.writer.(io.ReaderFrom)
	if !ok || !isFile(part.R) {
		return io.Copy(struct{ io.Writer }{w.httpCall}, src)
	}
	return sendFile(w.httpCall, sender, part)
}

// CloseNotify returns a channel that has one value when the caller has gone.
func (w http1Writer) CloseNotify() <-chan bool { return closeNotify(w.httpCall) }

// isFile reports whether r is a file, which can be read without waiting.
func isFile(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// sendFile sends file a piece at a time.
func sendFile(h *httpCall, sender io.ReaderFrom, file *io.LimitedReader) (n int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return 0, http.ErrHandlerTimeout
	}
	if h.status == 0 {
		h.begun(http.StatusOK)
	}
	for file.N > 0 {
		piece := &io.LimitedReader{R: file.R, N: min(file.N, pieceSize)}
		sends := h.sends()
		m, err := sender.ReadFrom(piece)
		sends.end()
		n += m
		file.N -= m
		if err != nil || piece.N > 0 { // the file has ended
			return n, err
		}
	}
	return n, nil
}

// http2Writer is the writer of a request by HTTP/2.
type http2Writer struct{ *httpCall }

var (
	_ http.Flusher    = http2Writer{}
	_ http.Pusher     = http2Writer{}
	_ io.StringWriter = http2Writer{}

	_ http.CloseNotifier = http2Writer{} //nolint:staticcheck // as above
)

// Push is that of the server's own writer.
func (w http2Writer) Push(target string, opts *http.PushOptions) error {
	return w.writer.(http.Pusher).Push(target, opts)
}

// CloseNotify returns a channel that has one value when the caller has gone.
func (w http2Writer) CloseNotify() <-chan bool { return closeNotify(w.httpCall) }

// closeNotify uses the server's own writer. If that has no CloseNotify, it uses the request's
// context.
func closeNotify(h *httpCall) <-chan bool {
	if w, ok := h.writer.(http.CloseNotifier); ok { //nolint:staticcheck // as above
		return w.CloseNotify()
	}
	gone := make(chan bool, 1)
	context.AfterFunc(h.parent, func() { gone <- true })
	return gone
}
