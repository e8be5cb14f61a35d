package inbound

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/status"
)

// plainStream is a request of a plain HTTP handler that lasts: an answer without a length that was flushed, as events
// are sent, or a connection that the handler has taken over, as for a WebSocket. What has a length is a download. It
// ends by itself, as a request does that is not answered yet.
type plainStream struct {
	conn  net.Conn // nil unless it was taken over
	ended error    // why it was ended from outside, nil if it was not
}

// lastWrites is what a handler has to say farewell in when its caller's proof has ended. Then its writes fail.
const lastWrites = 10 * time.Second

// bind has the context of a request end when the request is a stream of route and the proof of its caller ends. Done
// must be called when the handler has returned.
func bind(h *httpCall, r *http.Request, route *Method, until time.Time) (bound *http.Request, done func()) {
	h.standing = standing{proofOf(h.parent), until}
	if !h.standing.mayEnd() {
		return r, func() {}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	h.bound, h.cancel = route, cancel
	return r.WithContext(ctx), func() { cancel(nil) }
}

// flows notes that the answer is sent as it comes. The lock of h is held.
func flows(h *httpCall) {
	if h.flowing || h.bound == nil || h.writer.Header().Get("Content-Length") != "" {
		return
	}
	h.flowing = true
	h.server.streams.enterPlain(h, nil)
}

// enterPlain takes in a stream of a plain handler. A connection that comes when streams are ended is closed.
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

// leavePlain lets go of a stream whose handler has returned, and returns why it was ended from outside, nil if it was
// not.
func (o *streams) leavePlain(h *httpCall) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := o.plain[h]
	delete(o.plain, h)
	return open.ended
}

// endPlain ends a stream whose caller has proved nothing any more. The lock is held.
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

// closeTaken closes a connection that a handler has taken over, and may have closed. TLS says so to the client first, for
// which it waits up to 5 s where that does not read: nobody else waits for it, least of all with a lock.
func closeTaken(conn net.Conn) {
	go func() { _ = conn.Close() }()
}

// silence has the writes of a handler fail that goes on all the same. After the request it does nothing.
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

// leaveStream notes what the request came to, if it was a stream.
func leaveStream(h *httpCall) {
	if h.hijacked == nil && !h.flowing {
		return
	}
	if why := h.server.streams.leavePlain(h); why != nil {
		h.reason, h.explain = ReasonUnauthenticated, status.Convert(why).Message()
		h.server.obs.rejected.WithLabelValues(h.bound.Name, string(h.reason)).Inc()
	}
}
