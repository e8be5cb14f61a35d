package catalog

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Register registers *c, or makes *c the collector that was registered for the same metric before:
// some metrics are counted in by several parts of the chassis. It fails where the metric is taken
// by a collector of another kind or with another description. A nil registerer leaves the collector
// to itself.
func Register[C prometheus.Collector](registerer prometheus.Registerer, c *C) error {
	if registerer == nil {
		return nil
	}
	err := registerer.Register(*c)
	already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	if !ok {
		return err
	}
	existing, ok := already.ExistingCollector.(C)
	if !ok {
		return fmt.Errorf("another kind of collector has the same metric: %w", err)
	}
	*c = existing
	return nil
}
