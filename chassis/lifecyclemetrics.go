package chassis

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// lifecycleMetrics are made from the events and from the phase that they move.
type lifecycleMetrics struct {
	steps        *prometheus.GaugeVec
	refusedConns *prometheus.CounterVec
}

func newLifecycleMetrics() lifecycleMetrics {
	return lifecycleMetrics{steps: catalog.LifecycleStepDuration.GaugeVec(), refusedConns: catalog.ConnectionsRefused.CounterVec()}
}

func (m lifecycleMetrics) took(e Event) {
	m.steps.WithLabelValues(string(e.Step)).Set(e.Took.Seconds())
}

func (m lifecycleMetrics) register(registry prometheus.Registerer, i *instance) error {
	return errors.Join(registry.Register(m.steps), registry.Register(m.refusedConns), registry.Register(phaseCollector{
		instance: i, phase: catalog.Phase.Desc(), ready: catalog.Ready.Desc(),
	}))
}

// phaseCollector reads phase and readiness when somebody asks.
type phaseCollector struct {
	instance     *instance
	phase, ready *prometheus.Desc
}

func (c phaseCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.phase
	ch <- c.ready
}

func (c phaseCollector) Collect(ch chan<- prometheus.Metric) {
	now := c.instance.phaseNow()
	for _, phase := range phases {
		ch <- prometheus.MustNewConstMetric(c.phase, prometheus.GaugeValue, one(phase == now), phase)
	}
	ch <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, one(c.instance.health.Ready()))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
