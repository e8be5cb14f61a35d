package inbound

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/status"
)

// plainStream is a long-running request of a plain HTTP handler: a flushed answer without a
// length, such as server-sent events, or a hijacked connection, such as a WebSocket. An answer
// with a length, or one that has not begun, ends by itself.
type plainStream struct {
	conn  net.Conn // nil unless it was taken over
	ended error    // why it was ended from outside, nil if it was not
}

// lastWrites is the time for a handler to end its answer after its caller's proof has ended. Then
// its writes fail.
const lastWrites = 10 * time.Second

// bind ends the context of a request when it is a stream of route and the proof of its caller
// ends. Call done when the handler has returned.
func bind(h *httpCall, r *http.Request, route *Method, until time.Time) (bound *http.Request, done func()) {
	h.standing = standing{proofOf(h.parent), until}
	if !h.standing.mayEnd() {
		return r, func() {}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	h.bound, h.cancel = route, cancel
	return r.WithContext(ctx), func() { cancel(nil) }
}

// flows records that the answer is sent as it is written. The caller holds the lock of h.
func flows(h *httpCall) {
	if h.flowing || h.bound == nil || h.writer.Header().Get("Content-Length") != "" {
		return
	}
	h.flowing = true
	h.server.streams.enterPlain(h, nil)
}

// enterPlain adds a stream of a plain handler. A connection that is added when streams are ended
// is closed.
func (o *streams) enterPlain(h *httpCall, conn net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if conn != nil && o.over {
		closeTaken(conn)
		return
	}
	if o.plain == nil {
		o.plain = map[*httpCall]plainStream{}
	}
	o.plain[h] = plainStream{conn: conn}
	if h.standing.mayEnd() {
		o.watch()
	}
}

// leavePlain removes a stream whose handler has returned, and returns the reason for which it was
// ended from outside, nil if it was not.
func (o *streams) leavePlain(h *httpCall) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := o.plain[h]
	delete(o.plain, h)
	return open.ended
}

// endPlain ends a stream whose caller's proof has ended. The caller holds the lock.
func (o *streams) endPlain(h *httpCall, why error) {
	open, ok := o.plain[h]
	if !ok || open.ended != nil {
		return
	}
	open.ended = why
	o.plain[h] = open
	h.cancel(why)
	if open.conn != nil {
		closeTaken(open.conn)
		return
	}
	time.AfterFunc(lastWrites, func() { silence(h) })
}

// closeTaken closes a hijacked connection, which the handler may have closed already. TLS first
// notifies the client, which may take up to 5 s if the client does not read, so no caller waits
// for it and no lock is held.
func closeTaken(conn net.Conn) {
	go func() { _ = conn.Close() }()
}

// silence makes the writes of a handler fail that continues after the end. After the request it
// does nothing.
func silence(h *httpCall) {
	h.life.Lock()
	defer h.life.Unlock()
	if h.ended {
		return
	}
	_ = h.writes.replace(longAgo) // for a write that waits, which holds the other lock
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// leaveStream records the result of the request, if it was a stream.
func leaveStream(h *httpCall) {
	if h.hijacked == nil && !h.flowing {
		return
	}
	if why := h.server.streams.leavePlain(h); why != nil {
		h.reason, h.explain = ReasonUnauthenticated, status.Convert(why).Message()
		h.server.obs.rejected.WithLabelValues(h.bound.Name, string(h.reason)).Inc()
	}
}
