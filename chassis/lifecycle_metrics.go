package chassis

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// register registers the lifecycle metrics. Ready reports whether the service is ready.
func (l *lifecycle) register(registry prometheus.Registerer, ready func() bool) error {
	return errors.Join(registry.Register(l.steps), registry.Register(phaseCollector{
		phaseNow: l.phaseNow, isReady: ready, phase: catalog.Phase.Desc(), ready: catalog.Ready.Desc(),
	}))
}

// phaseCollector reads phase and readiness at each scrape.
type phaseCollector struct {
	phaseNow     func() string
	isReady      func() bool
	phase, ready *prometheus.Desc
}

func (c phaseCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.phase
	ch <- c.ready
}

func (c phaseCollector) Collect(ch chan<- prometheus.Metric) {
	now := c.phaseNow()
	for _, phase := range phases {
		ch <- prometheus.MustNewConstMetric(c.phase, prometheus.GaugeValue, one(phase == now), phase)
	}
	ch <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, one(c.isReady()))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
