package outbound

import (
	"net/http"
	"sync"
	"time"

	"github.com/betmakers/paddock/internal/bounded"
)

// pool counts the connections to a third party, and the requests that wait for one. A transport
// with a limit for the connections to a host makes requests beyond it wait, and says nothing about
// them. But over HTTP/1 a request has a connection for itself until its answer is read. So as many
// requests to a host as are over its limit are waiting, and the time that all have waited is the
// sum of their number over time. Over HTTP/2 requests share connections, and none waits.
type pool struct {
	limit int // connections to one host; zero for none, or not known

	mu      sync.Mutex
	hosts   map[string]int // requests to each, as long as there are any
	inUse   int
	waiting int
	waited  time.Duration
	counted time.Time // until when waited is
	shared  bool      // by HTTP/2
}

func newPool(next http.RoundTripper) *pool {
	p := &pool{hosts: map[string]int{}}
	if transport, ok := next.(*http.Transport); ok {
		p.limit = transport.MaxConnsPerHost
	}
	return p
}

// count counts what was waited until now. The caller holds the lock.
func (p *pool) count(now time.Time) {
	if p.waiting > 0 {
		p.waited += time.Duration(p.waiting) * max(0, now.Sub(p.counted))
	}
	p.counted = now
}

// enter counts a request to a host.
func (p *pool) enter(host string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(now)
	p.hosts[host]++
	if p.limit > 0 && p.hosts[host] > p.limit {
		p.waiting++
	} else {
		p.inUse++
	}
}

// leave ends it.
func (p *pool) leave(host string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(now)
	if p.limit > 0 && p.hosts[host] > p.limit {
		p.waiting--
	} else {
		p.inUse--
	}
	if p.hosts[host]--; p.hosts[host] == 0 {
		delete(p.hosts, host)
	}
}

// answered learns from an answer whether connections are shared.
func (p *pool) answered(answer *http.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = answer.ProtoMajor > 1
}

// state is the state for metrics.
func (p *pool) state() bounded.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(time.Now())
	if p.shared {
		return bounded.State{InUse: p.inUse + p.waiting, Waits: true, Waited: p.waited}
	}
	return bounded.State{Limit: p.limit, InUse: p.inUse, Waits: true, Queued: p.waiting, Waited: p.waited}
}

// connect counts an attempt of a request, and disconnect its end, once.
func connect(c *httpClientCall, now time.Time) {
	c.connected = true
	c.peer.pool.enter(hostOf(c), now)
}

func disconnect(c *httpClientCall, now time.Time) {
	if c.connected {
		c.connected = false
		c.peer.pool.leave(hostOf(c), now)
	}
}

// host is the host of the request. One without a URL fails in the transport.
func hostOf(c *httpClientCall) string {
	if c.request.URL == nil {
		return ""
	}
	return c.request.URL.Host
}
