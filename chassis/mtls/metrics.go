package mtls

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// registerCounter registers m, or returns the collector that was registered before by another
// user of the package. With a nil registerer the counter is private.
func registerCounter(registerer prometheus.Registerer, m catalog.Metric) (*prometheus.CounterVec, error) {
	counter := m.CounterVec()
	if err := catalog.Register(registerer, &counter); err != nil {
		return nil, fmt.Errorf("mtls: cannot register metric %s: %w", m.Name, err)
	}
	return counter, nil
}

// expiry collects the expiry of src's identity at each scrape.
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
