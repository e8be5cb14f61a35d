package mtls

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// registerCounter registers m, or returns the collector that another user of the package has registered before. A nil
// registerer keeps the counter private.
func registerCounter(registerer prometheus.Registerer, m catalog.Metric) (*prometheus.CounterVec, error) {
	counter := m.CounterVec()
	if err := catalog.Register(registerer, &counter); err != nil {
		return nil, fmt.Errorf("mtls: cannot register metric %s: %w", m.Name, err)
	}
	return counter, nil
}

// expiry is a collector of the expiry of what src has in force, read at scrape time.
type expiry struct {
	src  Source
	desc *prometheus.Desc
}

func newExpiry(src Source) *expiry {
	return &expiry{src: src, desc: catalog.CertificateNotAfter.Desc()}
}

func (e *expiry) Describe(ch chan<- *prometheus.Desc) { ch <- e.desc }

func (e *expiry) Collect(ch chan<- prometheus.Metric) {
	if own, err := e.src.Identity(); err == nil {
		ch <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(own.NotAfter.Unix()))
	}
}

func orDiscard(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return logger
}
