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

// errCut is the error of a call that still runs when the time for a stop is over.
var errCut = status.Error(codes.Unavailable, "the server is shutting down: the call was cut")

// cutRequest ends a request whose handler runs, and reports whether its caller got an answer.
func cutRequest(h *httpCall) bool {
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
	answerFor(h, http.StatusServiceUnavailable, status.Convert(errCut))
	return true
}

// cutBy returns errCut if a stop has ended the call, whatever its handler returned.
func cutBy(c *call) error {
	if !c.method.server.cutting.Load() {
		return nil
	}
	if c.http != nil && c.http.wasCut.Load() || c.http == nil && errors.Is(c.parent.Err(), context.Canceled) {
		return errCut
	}
	return nil
}

// requests are the HTTP requests that run: a list through the requests themselves, which costs
// them no allocation.
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

func cutAll(s *Server) (answered int) {
	s.cutting.Store(true)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, h := range s.requests.running() {
		all.Go(func() { // one whose client does not read holds up no other
			if cutRequest(h) {
				mu.Lock()
				defer mu.Unlock()
				answered++
			}
		})
	}
	all.Wait()
	return answered
}
