package chassis

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// workerCollector reads the workers at each scrape. There is nothing before they are started.
type workerCollector struct {
	workers     *supervisor
	up, success *prometheus.Desc
}

func newWorkerCollector(workers *supervisor) workerCollector {
	return workerCollector{workers: workers, up: catalog.WorkerUp.Desc(), success: catalog.WorkerLastSuccess.Desc()}
}

func (c workerCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	ch <- c.success
}

func (c workerCollector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	c.workers.mu.Lock()
	defer c.workers.mu.Unlock()
	for _, t := range c.workers.tasks {
		if up, success, started := t.liveness(now); started {
			ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, one(up), t.name)
			ch <- prometheus.MustNewConstMetric(c.success, prometheus.GaugeValue, float64(success.UnixMilli())/1000, t.name)
		}
	}
}

// liveness returns whether a worker runs or has ended well, and when it was last well: it has then
// run for as long as makes a restart count as the first again.
func (t *task) liveness(now time.Time) (up bool, success time.Time, started bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	up = t.state == workerRunning || t.state == workerStopped && t.well
	if t.state == workerRunning && now.Sub(t.begun) >= calmAfter {
		t.success = now
	}
	return up, t.success, !t.begun.IsZero()
}
