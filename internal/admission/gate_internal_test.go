package admission

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Short calls of many callers who wait for each answer fill the processors for good, and by chance
// their queue grows. Nothing is gained by holding them back, so that ends soon and does not begin
// again, until the queue has been short.
func TestGateLeavesABoundedQueueAlone(t *testing.T) {
	const callers, each = 64, 20 * time.Microsecond
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same for each run
	g := gate{procs: 1}
	closed, closings := 0, 0
	for at := time.Millisecond; at < 10*time.Second; at += time.Millisecond {
		before := g.closed
		here := 1 + random.IntN(callers) // the others are on their way
		running, waiting := 1+random.IntN(min(here, 8)), 0
		if g.closed {
			running = min(here, max(g.limit.now, g.floor()))
			waiting = here - running
			closed++
		}
		g.saw(Look{1, g.floor() + 1 + random.IntN(callers)}, calls{running: running, waiting: waiting, each: each}, at)
		if g.closed && !before {
			closings++
		}
	}
	if closings != 1 || closed > 1500 {
		t.Errorf("calls were held back %d times, for %d ms of 10 s", closings, closed)
	}
	if g.harmless == 0 {
		t.Error("a queue that did no harm is not remembered")
	}
	for at := 10 * time.Second; at < 10*time.Second+2*calm; at += time.Millisecond {
		g.saw(Look{1, 0}, calls{running: 1, each: each}, at)
	}
	if g.harmless != 0 {
		t.Errorf("when the queue has been short, one of %d is still thought harmless", g.harmless)
	}
}

// Goroutines that are more than calls can be open the gate, unless they may be the handshakes of
// connections that have just come: clients that give up over HTTP/1.1 close their connection, and
// come again with a new one.
func TestGateTakesHandshakesForCalls(t *testing.T) {
	for _, test := range []struct {
		name       string
		connecting int
		opens      bool
	}{
		{"others' work", 0, true},
		{"handshakes", 300, false},
		{"others' work beside some handshakes", 50, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := gate{procs: 1, closed: true}
			g.close(1, 0)
			g.try.next = time.Hour // another proof
			opened := false
			for at := time.Millisecond; at < 2*foreignFor; at += time.Millisecond {
				g.saw(Look{1, 200}, calls{running: 2, waiting: 5, connecting: test.connecting, each: 2 * time.Millisecond, rate: 400}, at)
				opened = opened || !g.closed
			}
			if opened != test.opens {
				t.Errorf("the gate has opened: %t, want %t", opened, test.opens)
			}
		})
	}
}
