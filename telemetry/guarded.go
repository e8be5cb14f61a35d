package telemetry

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// guarded replaces a collector of the service in the registry. A collector that hangs is not
// called again before it has returned, so at most one goroutine is left behind. A panic in a
// goroutine that the collector itself started ends the process, as always in Go.
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

// Collect sends the series of the collector: all of them, those sent before a panic, or none if
// it took too long.
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

// collection returns the running collection, or starts one. Concurrent scrapes share one, which
// the first of them reads.
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

// report counts a failure, and logs it at most once a minute for each collector.
func (g *guarded) report(f failure) {
	g.guard.failures.WithLabelValues(f.reason).Inc()
	if g.complaints.due() {
		g.guard.log.Error("collector left out of the metrics", "collector", fmt.Sprintf("%T", g.own),
			"reason", f.reason, "error", f.text, "stack", f.stack)
	}
}

// complaints limits the log lines about failures that may recur at each scrape.
type complaints struct {
	mu   sync.Mutex
	next time.Time
}

// due reports whether a minute has passed since it last returned true.
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

// The reasons for missing series of a collector.
const (
	failedPanic   = "panic"
	failedExit    = "exit"
	failedTimeout = "timeout"
	failedTooMany = "too_many"
	failedInvalid = "invalid"
)

// failure describes a failed call of a collector.
type failure struct{ reason, text, stack string }

// attempt calls f. If f panics or ends the goroutine, it calls failed. A panic is recovered; the
// end of a goroutine cannot be.
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
