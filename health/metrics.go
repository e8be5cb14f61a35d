package health

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

type metrics struct {
	up       *prometheus.GaugeVec
	duration *prometheus.GaugeVec
	panics   *prometheus.CounterVec
}

// newMetrics registers the collectors of this package; reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		up:       catalog.HealthCheckUp.GaugeVec(),
		duration: catalog.HealthCheckDuration.GaugeVec(),
		panics:   catalog.Panics.CounterVec(),
	}
	if reg == nil {
		return m, nil
	}
	err := errors.Join(register(reg, &m.up), register(reg, &m.duration), register(reg, &m.panics))
	if err != nil {
		return nil, fmt.Errorf("health: cannot register the metrics: %w", err)
	}
	return m, nil
}

// register registers *c, or makes *c the collector that was registered for the same metric before: the counter of panics
// is shared with the other parts of the chassis.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if !errors.As(err, &already) {
		return err
	}
	existing, ok := already.ExistingCollector.(C)
	if !ok {
		return fmt.Errorf("another kind of collector has the same metric: %w", err)
	}
	*c = existing
	return nil
}

func (m *metrics) set(s CheckStatus) {
	up := 0.0
	if s.State == Passing {
		up = 1
	}
	m.up.WithLabelValues(s.Name).Set(up)
	m.duration.WithLabelValues(s.Name).Set(s.LastDuration.Seconds())
}

func (m *metrics) panicked() { m.panics.WithLabelValues("health").Inc() }
