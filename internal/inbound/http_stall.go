package inbound

import (
	"net/http"
	"sync"
	"time"
)

// stallLimit bounds the time that one read or one write of an HTTP request waits for the other
// side. No timer runs while none waits, so a request may be quiet without limit. The zero value
// is no limit.
type stallLimit struct {
	server  *Server
	conn    deadliner
	reads   bool // else it is about writes
	timeout time.Duration

	mu    sync.Mutex // other goroutines of the handler may read, or set a deadline, while the request ends
	watch *watch     // nil while none was needed; guarded by mu, as timeout is from the first read or write on
}

// deadliner is implemented by the writers of net/http for [http.ResponseController], and by that
// for wrapped writers.
type deadliner interface {
	SetReadDeadline(at time.Time) error
	SetWriteDeadline(at time.Time) error
}

func deadlinerOf(w http.ResponseWriter) deadliner {
	if conn, ok := w.(deadliner); ok {
		return conn
	}
	return http.NewResponseController(w)
}

// begin begins a read or write, or its next part. The returned watch ends it.
func (l *stallLimit) begin() *watch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timeout <= 0 {
		return nil
	}
	if l.watch == nil {
		l.watch = newWatch(l.server, l)
	}
	l.watch.begin()
	return l.watch
}

// lend leaves net/http the time of one more read or write, unless there is no limit.
func (l *stallLimit) lend() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timeout <= 0 {
		return false
	}
	l.setDeadline(time.Now().Add(l.timeout))
	return true
}

// shorten lowers the limit before anything is read or written.
func (l *stallLimit) shorten(timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timeout <= 0 || timeout < l.timeout {
		l.timeout = timeout
	}
}

// replace ends the limit in favour of the handler's own deadline.
func (l *stallLimit) replace(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	return setDeadline(l.conn, l.reads, at)
}

// stop ends the limit.
func (l *stallLimit) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

func (l *stallLimit) end() {
	l.timeout = 0
	if l.watch != nil {
		release(l.server, l.watch)
		l.watch = nil
	}
}

// setDeadline sets the deadline of the connection. Its error is left to the read or write: a
// connection that is gone has none to set, and a writer in memory waits for nothing.
func (l *stallLimit) setDeadline(at time.Time) { _ = setDeadline(l.conn, l.reads, at) }

func setDeadline(conn deadliner, reads bool, at time.Time) error {
	if reads {
		return conn.SetReadDeadline(at)
	}
	return conn.SetWriteDeadline(at)
}

// watch is the timer of a stallLimit. It checks the running operation when it fires, so that a
// further read or write costs only a look at the clock. It is reused by later requests.
type watch struct {
	timer *time.Timer

	mu      sync.Mutex // held to cut: the connection is not that of the request any more when release has returned
	conn    deadliner  // nil while it is not in use
	reads   bool
	timeout time.Duration
	since   time.Time // when the read or write under way began, zero for none
	armed   bool      // the timer runs
}

// newWatch returns an idle watch for l.
func newWatch(s *Server, l *stallLimit) *watch {
	w, ok := s.watches.Get().(*watch)
	if !ok {
		w = new(watch)
		w.timer = time.AfterFunc(l.timeout, w.look)
		w.timer.Stop()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.reads, w.timeout = l.conn, l.reads, l.timeout
	return w
}

// release ends w. It is not reused if a read still runs in another goroutine of the handler.
func release(s *Server, w *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = nil
	if w.armed {
		w.timer.Stop()
		w.armed = false
	}
	if w.since.IsZero() {
		s.watches.Put(w)
	}
}

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	if !w.armed {
		w.armed = true
		w.timer.Reset(w.timeout)
	}
}

func (w *watch) end() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Time{}
}

// look ends a read or write that has waited too long.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.conn == nil || w.since.IsZero() {
		return
	}
	if left := w.timeout - time.Since(w.since); left > 0 {
		w.armed = true
		w.timer.Reset(left)
		return
	}
	_ = setDeadline(w.conn, w.reads, longAgo) // what waits then returns; what is gone does not wait
}

// longAgo is a deadline that has passed. The zero time would mean none.
var longAgo = time.Unix(1, 0)
