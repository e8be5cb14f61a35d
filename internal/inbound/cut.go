package inbound

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errCut is what becomes of a call that still runs at the end of the time of a stop.
var errCut = status.Error(codes.Unavailable, "the server is shutting down: the call was cut")

// Cut says that the connections are closed next, at the end of the time of a stop: calls that end because of it count
// as UNAVAILABLE and as refused for [ReasonShutdown], and not as given up by their callers. HTTP requests that run are
// answered with 503 in the place of their handlers, unless their answer has begun, or a plain handler has its header,
// to which it may write at any moment: their connections are closed without an answer. It returns how many were. The
// answers have left the handlers' side by then; by HTTP/2 they need a moment more to leave the process.
func (s *Server) Cut() (answered int) {
	s.cutting.Store(true)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, h := range s.requests.running() {
		all.Go(func() { // one whose client does not read holds up no other
			if h.cut() {
				mu.Lock()
				defer mu.Unlock()
				answered++
			}
		})
	}
	all.Wait()
	return answered
}

// cut ends a request whose handler runs, and reports whether its caller got an answer.
func (h *httpCall) cut() bool {
	h.life.Lock()
	defer h.life.Unlock()
	if h.ended {
		return false
	}
	h.wasCut.Store(true)
	if !h.mu.TryLock() { // it writes, and may do so for long
		return false
	}
	defer h.mu.Unlock()
	if h.status != 0 || h.shared { // two that write to one header at once would end the process
		return false
	}
	h.begun(http.StatusServiceUnavailable)
	h.over = true
	control := http.NewResponseController(h.writer) // writers in memory have no deadlines, and wait for nothing
	_ = control.SetWriteDeadline(time.Now().Add(hangUpTime))
	_ = control.SetReadDeadline(time.Now()) // net/http reads what is left of a body before it answers
	h.answerFor(http.StatusServiceUnavailable, status.Convert(errCut))
	return true
}

// cutBy returns errCut where the end of a stop has ended the call, whatever its handler made of that.
func (c *call) cutBy() error {
	if !c.method.server.cutting.Load() {
		return nil
	}
	if c.http != nil && c.http.wasCut.Load() || c.http == nil && errors.Is(c.parent.Err(), context.Canceled) {
		return errCut
	}
	return nil
}

// requests are the HTTP requests that run: a list through the requests themselves, which costs them no allocation.
type requests struct {
	mu    sync.Mutex
	first *httpCall
}

func (r *requests) begin(h *httpCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.next = r.first
	if h.next != nil {
		h.next.previous = h
	}
	r.first = h
}

func (r *requests) end(h *httpCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.next != nil {
		h.next.previous = h.previous
	}
	if h.previous != nil {
		h.previous.next = h.next
	} else {
		r.first = h.next
	}
	h.next, h.previous = nil, nil
}

func (r *requests) running() (all []*httpCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for h := r.first; h != nil; h = h.next {
		all = append(all, h)
	}
	return all
}
