package mtls

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

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
	src        Source
	own, chain *prometheus.Desc

	mu    sync.Mutex
	of    *Identity // whose certificates above are known
	above map[string]time.Time
}

func newExpiry(src Source) *expiry {
	return &expiry{src: src, own: catalog.CertificateNotAfter.Desc(), chain: catalog.CertificateChainNotAfter.Desc()}
}

func (e *expiry) Describe(ch chan<- *prometheus.Desc) {
	ch <- e.own
	ch <- e.chain
}

func (e *expiry) Collect(ch chan<- prometheus.Metric) {
	own, err := e.src.Identity()
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(e.own, prometheus.GaugeValue, float64(own.NotAfter.Unix()))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of != own {
		e.of, e.above = own, expiriesAbove(own)
	}
	for part, at := range e.above {
		ch <- prometheus.MustNewConstMetric(e.chain, prometheus.GaugeValue, float64(at.Unix()), part)
	}
}

// expiriesAbove returns when the certificates above an identity's own expire, by part.
func expiriesAbove(own *Identity) map[string]time.Time {
	above := map[string]time.Time{}
	earliest := func(part string, at time.Time) {
		if known, ok := above[part]; !ok || at.Before(known) {
			above[part] = at
		}
	}
	top := own.Certificate.Leaf
	for _, der := range own.Certificate.Certificate[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil || isAmong(cert, own.Authorities) {
			continue
		}
		earliest("intermediate", cert.NotAfter)
		top = cert
	}
	for _, authority := range own.Authorities {
		earliest("trusted", authority.NotAfter)
		if top.CheckSignatureFrom(authority) == nil && authority.NotAfter.After(above["authority"]) {
			above["authority"] = authority.NotAfter // the last of those that can be used
		}
	}
	return above
}

// isAmong reports whether a chain ends with an authority itself, which verifies nothing more.
func isAmong(cert *x509.Certificate, authorities []*x509.Certificate) bool {
	return slices.ContainsFunc(authorities, cert.Equal)
}

func orDiscard(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return logger
}
