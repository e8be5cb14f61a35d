package health

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

type metrics struct {
	up       *prometheus.GaugeVec
	degraded *prometheus.GaugeVec
	duration *prometheus.GaugeVec
	panics   *prometheus.CounterVec
}

// newMetrics registers the metrics of this package. Reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		up:       catalog.HealthCheckUp.GaugeVec(),
		degraded: catalog.HealthCheckDegraded.GaugeVec(),
		duration: catalog.HealthCheckDuration.GaugeVec(),
		panics:   catalog.Panics.CounterVec(),
	}
	err := errors.Join(catalog.Register(reg, &m.up), catalog.Register(reg, &m.degraded), catalog.Register(reg, &m.duration), catalog.Register(reg, &m.panics))
	m.panics.WithLabelValues("health")
	if err != nil {
		return nil, fmt.Errorf("health: cannot register the metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) set(s CheckStatus) {
	m.up.WithLabelValues(s.Name).Set(one(s.State == Passing))
	m.degraded.WithLabelValues(s.Name).Set(one(s.Degraded))
	m.duration.WithLabelValues(s.Name).Set(s.LastDuration.Seconds())
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (m *metrics) panicked() { m.panics.WithLabelValues("health").Inc() }
