package inbound

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/catalog"
)

// admissionMetrics read the state of a limiter when they are collected.
type admissionMetrics struct {
	limiter                          *admission.Limiter
	holding, running, queued, waited *prometheus.Desc
}

func newAdmissionMetrics(l *admission.Limiter) admissionMetrics {
	return admissionMetrics{
		l, catalog.AdmissionHolding.Desc(), catalog.AdmissionRunning.Desc(), catalog.AdmissionQueued.Desc(), catalog.AdmissionWait.Desc(),
	}
}

func (m admissionMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.holding, m.running, m.queued, m.waited} {
		ch <- desc
	}
}

// admissionState returns a function for the same in the family of bounded resources. Admission has
// no fixed limit.
func admissionState(l *admission.Limiter) func() bounded.State {
	return func() bounded.State {
		s := l.State()
		return bounded.State{InUse: s.Running, Waits: true, Queued: s.Queued, Waited: s.Waited}
	}
}

// Collect sends nothing where there is no limiter.
func (m admissionMetrics) Collect(ch chan<- prometheus.Metric) {
	if m.limiter == nil {
		return
	}
	s, holding := m.limiter.State(), 0.
	if s.Holding {
		holding = 1
	}
	ch <- prometheus.MustNewConstMetric(m.holding, prometheus.GaugeValue, holding)
	ch <- prometheus.MustNewConstMetric(m.running, prometheus.GaugeValue, float64(s.Running))
	ch <- prometheus.MustNewConstMetric(m.queued, prometheus.GaugeValue, float64(s.Queued))
	ch <- prometheus.MustNewConstMetric(m.waited, prometheus.CounterValue, s.Waited.Seconds())
}
