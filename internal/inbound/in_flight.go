package inbound

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// inFlightCollector reads the calls in flight at each scrape, so that a call is counted in one
// place.
type inFlightCollector struct {
	desc    *prometheus.Desc
	mu      sync.Mutex
	methods []methodMetrics
}

func (c *inFlightCollector) add(m methodMetrics) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.methods = append(c.methods, m)
}

func (c *inFlightCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *inFlightCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.methods {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(m.traffic.inFlight.Load()), m.name)
	}
}

// ended returns the number of ended calls of all methods.
func (c *inFlightCollector) ended() (calls uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.methods {
		calls += m.traffic.calls.Load()
	}
	return calls
}
