package inbound

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// restWriterOf returns the writer for the gateway, which completes the header of an answer by
// what the handler of the call has set. It has the optional methods of w, for routes that were
// added to the gateway by hand.
func restWriterOf(h *httpCall, w http.ResponseWriter) http.ResponseWriter {
	if h == nil {
		return w
	}
	h.outer = w
	switch w.(type) {
	case http.Hijacker:
		return restWriter1{restWriter{h}}
	case http.Pusher:
		return restWriter2{restWriter{h}}
	default:
		return restWriter{h}
	}
}

type restWriter struct{ call *httpCall }

// Header returns the header of the answer.
func (w restWriter) Header() http.Header { return w.call.outer.Header() }

// WriteHeader completes the header and sends it.
func (w restWriter) WriteHeader(status int) {
	h := w.call
	if status >= 200 && !h.headed {
		h.headed = true
		status = completeHeader(h, status)
	}
	h.outer.WriteHeader(status)
}

// Write writes an answer, or a part of it. A complete one may be compressed.
func (w restWriter) Write(b []byte) (int, error) {
	h := w.call
	if h.headed {
		if h.bodyless {
			return len(b), nil
		}
		return h.outer.Write(b)
	}
	h.headed = true
	status := completeHeader(h, http.StatusOK)
	body := b
	if h.bodyless {
		body = nil
	} else if smaller := compressed(h, h.outer.Header(), b); smaller != nil {
		body = smaller
	}
	if status != http.StatusOK {
		h.outer.WriteHeader(status)
	}
	if h.bodyless {
		return len(b), nil
	}
	if n, err := h.outer.Write(body); err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}

// FlushError sends what was written.
func (w restWriter) FlushError() error {
	h := w.call
	if !h.headed {
		h.headed = true
		if status := completeHeader(h, http.StatusOK); status != http.StatusOK {
			h.outer.WriteHeader(status)
		}
	}
	return http.NewResponseController(h.outer).Flush()
}

// Flush is FlushError.
func (w restWriter) Flush() { _ = w.FlushError() } // a caller that is gone is found by the next write

// Unwrap lets http.ResponseController reach the writer below.
func (w restWriter) Unwrap() http.ResponseWriter { return w.call.outer }

// completeHeader completes the header of an answer before it is sent, and returns its status.
func completeHeader(h *httpCall, status int) int {
	header := h.outer.Header()
	status = h.reply.applyTo(header, status)
	if status == http.StatusOK && notModified(h.request, header) {
		status = http.StatusNotModified
	}
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		h.bodyless = true
		header.Del("Content-Type")
		header.Del("Content-Length")
		header.Del("Transfer-Encoding")
		header.Del("Trailer")
	}
	return status
}

// restWriter1 is the writer of a request by HTTP/1.
type restWriter1 struct{ restWriter }

var (
	_ http.Hijacker = restWriter1{}
	_ http.Flusher  = restWriter1{}
	_ io.ReaderFrom = restWriter1{}

	_ http.CloseNotifier = restWriter1{} //nolint:staticcheck // deprecated, and asked for all the same
)

// Hijack gives the handler the connection.
func (w restWriter1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.call.outer.(http.Hijacker).Hijack()
}

// ReadFrom lets the system send a file.
func (w restWriter1) ReadFrom(src io.Reader) (int64, error) {
	if !w.call.headed {
		w.WriteHeader(http.StatusOK)
	}
	return io.Copy(w.call.outer, src)
}

// CloseNotify returns a channel that has one value when the caller has gone.
func (w restWriter1) CloseNotify() <-chan bool { return closeNotify(w.call) }

// restWriter2 is the writer of a request by HTTP/2.
type restWriter2 struct{ restWriter }

var (
	_ http.Pusher  = restWriter2{}
	_ http.Flusher = restWriter2{}

	_ http.CloseNotifier = restWriter2{} //nolint:staticcheck // as above
)

// Push is that of the writer below.
func (w restWriter2) Push(target string, opts *http.PushOptions) error {
	return w.call.outer.(http.Pusher).Push(target, opts)
}

// CloseNotify returns a channel that has one value when the caller has gone.
func (w restWriter2) CloseNotify() <-chan bool { return closeNotify(w.call) }
