package inbound

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// answerAfter answers 504 in place of the handler after timeout, so that a handler that ignores
// its context does not keep the caller waiting. Stop it before the handler's goroutine uses the
// writer again. With a timeout of zero, or without a request, it never answers.
func answerAfter(h *httpCall, timeout time.Duration) answerTimer {
	if h == nil || timeout <= 0 {
		return answerTimer{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	turn := h.turn
	return answerTimer{h, time.AfterFunc(timeout, func() { answerTimeout(h, turn) })}
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
	t.call.turn++ // a timer that has fired, and has not come to answer, comes too late
	return !t.call.over
}

// answerTimeout answers in place of the handler, whose goroutine is in a call and does not use
// the header meanwhile.
func answerTimeout(h *httpCall, turn int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.turn != turn || h.status != 0 {
		return
	}
	h.begun(http.StatusGatewayTimeout)
	h.over = true
	answerFor(h, http.StatusGatewayTimeout, status.New(codes.DeadlineExceeded, "the time of the call was over before it was answered"))
}

// timedOut reports whether the call was answered with 504. The result of its handler is then
// ignored.
func timedOut(h *httpCall) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over && !h.wasCut.Load()
}

// answerFor answers in place of the handler. The caller holds the lock.
func answerFor(h *httpCall, answer int, st *status.Status) {
	h.writer.Header().Set("Connection", "close") // the connection is of no use until the handler returns
	problem.New(answer, rpcstatus.Name(st.Code()), st.Message(), h.trace.context()).Write(h.writer)
	_ = http.NewResponseController(h.writer).Flush()
}
