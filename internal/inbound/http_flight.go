package inbound

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// routes counts the requests in flight by route. There are few routes, each known after its first
// request.
type routes struct {
	mu     sync.Mutex                                 // held to add one
	counts atomic.Pointer[map[routeKey]*atomic.Int64] // replaced, not changed, as each request reads it
}

type routeKey struct{ method, pattern string }

func (k routeKey) String() string {
	if k.method == "" {
		return k.pattern
	}
	return k.method + " " + k.pattern
}

func (r *routes) of(key routeKey) *atomic.Int64 {
	if known := r.counts.Load(); known != nil && (*known)[key] != nil {
		return (*known)[key]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := map[routeKey]*atomic.Int64{}
	if known := r.counts.Load(); known != nil {
		if n := (*known)[key]; n != nil {
			return n
		}
		maps.Copy(counts, *known)
	}
	n := new(atomic.Int64)
	counts[key] = n
	r.counts.Store(&counts)
	return n
}

// countAs counts the request in count until it ends, except while it is in a call.
func countAs(h *httpCall, count *atomic.Int64) {
	if h.counted != nil {
		h.counted.Add(-1)
	}
	h.counted = count
	count.Add(1)
}

// uncount ends the count. A call that outlives its request, because its handler ignores its
// deadline, changes nothing more.
func uncount(h *httpCall) {
	if h.counted != nil && !h.calls.CompareAndSwap(0, ended) {
		h.calls.Add(ended)
	} else if h.counted != nil {
		h.counted.Add(-1)
	}
}

// ended is greater than the number of calls that a request can be in.
const ended = 1 << 20

// enterCall and leaveCall enclose a call that the request makes, which is counted by its method.
func enterCall(h *httpCall) {
	if h != nil && h.counted != nil && h.calls.Add(1) == 1 {
		h.counted.Add(-1)
	}
}

func leaveCall(h *httpCall) {
	if h != nil && h.counted != nil && h.calls.Add(-1) == 0 {
		h.counted.Add(1)
	}
}

// hangUpTime is the time for the client to receive the last part of the answer to an ended
// stream.
const hangUpTime = 250 * time.Millisecond

// hangUp interrupts the request's goroutine when it waits for a client that does not read, or
// that has more to send. After the request it does nothing, because the connection may serve
// another one.
func hangUp(h *httpCall, uploads bool, why error) {
	h.life.Lock()
	defer h.life.Unlock()
	if h.ended {
		return
	}
	h.hungUp.Store(&why)
	control := http.NewResponseController(h.writer) // writers in memory have no deadlines, and wait for nothing
	_ = control.SetWriteDeadline(time.Now().Add(hangUpTime))
	if uploads {
		_ = control.SetReadDeadline(time.Now())
	}
}

func inFlight(s *Server) map[string]int {
	running := map[string]int{}
	for _, m := range s.Methods() {
		if n := m.InFlight(); n > 0 {
			running[m.Name] = n
		}
	}
	if counts := s.routes.counts.Load(); counts != nil {
		for key, count := range *counts {
			if n := count.Load(); n > 0 {
				running[key.String()] += int(n)
			}
		}
	}
	return running
}
