package telemetry

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// guarded stands in the registry for a collector of the service. A collector that hangs is not
// called again before it has returned, so one goroutine at most is left behind. A panic in a
// goroutine that the collector started itself ends the process, as anywhere in Go.
type guarded struct {
	own   prometheus.Collector
	descs []*prometheus.Desc
	guard *guard

	mu     sync.Mutex
	newest *collection // nil before the first

	complaints complaints
}

func (g *guarded) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range g.descs {
		ch <- desc
	}
}

// Collect sends what the collector sends within its time: the whole of it, or what it had sent when
// it panicked, or nothing.
func (g *guarded) Collect(ch chan<- prometheus.Metric) {
	c, first := g.collection()
	if first {
		c.read()
	}
	select {
	case <-c.done:
		for _, m := range c.metrics {
			ch <- m
		}
		if c.failed != nil && first {
			g.report(*c.failed)
		}
	case <-c.late:
		g.report(c.lateness)
	}
}

// collection returns the one that runs, or starts another. Scrapes at the same time share one; the
// first reads it.
func (g *guarded) collection() (c *collection, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.newest != nil && !g.newest.ended() {
		return g.newest, false
	}
	g.newest = newCollection()
	go g.newest.run(g.own)
	return g.newest, true
}

// report counts a failure, and logs it unless another of this collector was logged within the last
// minute.
func (g *guarded) report(f failure) {
	g.guard.failures.WithLabelValues(f.reason).Inc()
	if g.complaints.due() {
		g.guard.log.Error("collector left out of the metrics", "collector", fmt.Sprintf("%T", g.own),
			"reason", f.reason, "error", f.text, "stack", f.stack)
	}
}

// complaints bounds how often something is logged that may go wrong at each scrape.
type complaints struct {
	mu   sync.Mutex
	next time.Time
}

// due reports whether a minute has passed since it last reported so.
func (c *complaints) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.next) {
		return false
	}
	c.next = now.Add(complaintInterval)
	return true
}

// The reasons for which series of a collector are missing.
const (
	failedPanic   = "panic"
	failedExit    = "exit"
	failedTimeout = "timeout"
	failedTooMany = "too_many"
	failedInvalid = "invalid"
)

// failure is what went wrong in a call of a collector.
type failure struct{ reason, text, stack string }

// attempt calls f, and hands to failed how it ended where it did not return: by a panic, which goes
// no further, or by ending the goroutine, which it cannot hold up.
func attempt(f func(), failed func(failure)) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			failed(failure{failedPanic, "panicked: " + clip(fmt.Sprint(p)), clip(string(debug.Stack()))})
		} else if !returned {
			failed(failure{failedExit, "ended its goroutine (runtime.Goexit) instead of returning", clip(string(debug.Stack()))})
		}
	}()
	f()
	returned = true
}

const mostText = 8 << 10 // bytes of an error or a stack in a log line

func clip(s string) string {
	if len(s) > mostText {
		return s[:mostText] + "..."
	}
	return s
}
