package chassis

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/catalog"
)

// checkCollector tells what a failure of each health check means.
type checkCollector struct {
	monitor *health.Monitor
	dialer  *dialer
	info    *prometheus.Desc
}

func newCheckCollector(monitor *health.Monitor, d *dialer) checkCollector {
	return checkCollector{monitor: monitor, dialer: d, info: catalog.HealthCheckInfo.Desc()}
}

func (c checkCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.info }

func (c checkCollector) Collect(ch chan<- prometheus.Metric) {
	dependencies := map[string]string{}
	for _, made := range c.dialer.made() {
		dependencies[made.name] = "dependency"
		if made.hard {
			dependencies[made.name] = "required_dependency"
		}
	}
	for _, check := range c.monitor.Status().Checks {
		kind := dependencies[check.Name]
		switch {
		case kind != "":
		case check.Soft:
			kind = "soft"
		default:
			kind = "hard"
		}
		ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, check.Name, kind)
	}
}
