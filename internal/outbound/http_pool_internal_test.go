package outbound

import (
	"net/http"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/bounded"
)

// Requests beyond the limit of a host wait, and the time that each waits adds up.
func TestPool(t *testing.T) {
	p := newPool(&http.Transport{MaxConnsPerHost: 2})
	now := time.Now()
	after := func(d time.Duration) time.Time { return now.Add(d) }
	for range 5 {
		p.enter("a", now)
	}
	p.enter("b", now) // another host has connections of its own
	state := p.state()
	if state.Waited -= time.Since(now); state.Limit != 2 || state.InUse != 3 || state.Queued != 3 {
		t.Fatalf("got %+v, want three in use and three waiting", state)
	}
	p.counted, p.waited = now, 0
	p.leave("a", after(time.Second)) // three have waited for a second
	p.leave("a", after(3*time.Second))
	p.leave("a", after(3*time.Second))
	p.leave("a", after(9*time.Second))
	p.leave("a", after(9*time.Second))
	p.leave("b", after(9*time.Second))
	want := bounded.State{Limit: 2, Waits: true, Waited: 3*time.Second + 2*2*time.Second}
	if got := p.state(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(p.hosts) != 0 {
		t.Errorf("%d hosts are remembered", len(p.hosts))
	}
}

// By HTTP/2 requests share a connection: the limit is not for them, and none waits.
func TestPoolOfSharedConnections(t *testing.T) {
	p := newPool(&http.Transport{MaxConnsPerHost: 1})
	now := time.Now()
	p.answered(&http.Response{ProtoMajor: 2})
	for range 3 {
		p.enter("a", now)
	}
	if got := p.state(); got.Limit != 0 || got.InUse != 3 || got.Queued != 0 {
		t.Errorf("got %+v, want three in use", got)
	}
}
