package middleware

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/problem"
)

// An httpCall is the http.ResponseWriter of its handler.
var _ http.ResponseWriter = (*httpCall)(nil)

// Header returns the header of the answer; one that leads nowhere once the deadline has answered.
func (h *httpCall) Header() http.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return http.Header{}
	}
	return h.writer.Header()
}

// WriteHeader sends the header. Informational ones may come before the final one, as net/http allows.
func (h *httpCall) WriteHeader(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	if h.status == 0 && status >= 200 {
		h.begun(status)
	}
	h.writer.WriteHeader(status)
}

func (h *httpCall) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return 0, http.ErrHandlerTimeout
	}
	if h.status == 0 {
		h.begun(http.StatusOK)
	}
	return h.writer.Write(b)
}

// Flush sends what was written so far, and gives a stream that makes progress time to make more: the server's write
// timeout counts from its last flush.
func (h *httpCall) Flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	if h.status == 0 {
		h.begun(http.StatusOK) // a flush sends the header
	}
	control := http.NewResponseController(h.writer)
	if h.writeTimeout > 0 {
		_ = control.SetWriteDeadline(time.Now().Add(h.writeTimeout)) // writers in memory have no timeout
	}
	_ = control.Flush() // a caller that is gone is found by the next write
}

// Unwrap lets http.ResponseController reach the writer of the server.
func (h *httpCall) Unwrap() http.ResponseWriter { return h.writer }

// sent returns the status that the caller got.
func (h *httpCall) sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status == 0 {
		return http.StatusOK
	}
	return h.status
}

// answerAfter answers 504 in the handler's place when timeout has passed, so that a handler that ignores its context
// does not keep the caller waiting. It must be stopped before the handler's goroutine uses the writer again. A timeout
// of zero, or one of no request, never answers.
func (h *httpCall) answerAfter(timeout time.Duration) answerTimer {
	if h == nil || timeout <= 0 {
		return answerTimer{}
	}
	return answerTimer{h, time.AfterFunc(timeout, h.answerTimeout)}
}

type answerTimer struct {
	call  *httpCall
	timer *time.Timer
}

// stop reports whether the handler may still answer.
func (t answerTimer) stop() bool {
	if t.timer == nil || t.timer.Stop() {
		return true
	}
	t.call.mu.Lock() // until the answer under way is written
	defer t.call.mu.Unlock()
	return !t.call.over
}

func (h *httpCall) answerTimeout() {
	if !h.takeOver() {
		return
	}
	defer h.mu.Unlock()
	w := h.writer
	w.Header().Set("Connection", "close") // the connection is of no use until the handler returns
	problem.New(http.StatusGatewayTimeout, codeName(codes.DeadlineExceeded), "the call took longer than the server allows",
		h.trace.context()).Write(w)
	_ = http.NewResponseController(w).Flush()
}

// takeOver keeps the lock and claims the answer, unless the handler has begun it.
func (h *httpCall) takeOver() bool {
	h.mu.Lock()
	if h.status != 0 {
		h.mu.Unlock()
		return false
	}
	h.begun(http.StatusGatewayTimeout)
	h.over = true
	return true
}
