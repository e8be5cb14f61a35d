package mtls

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// inForce is shared by the sources. It holds the identity in force, and logs and measures its
// changes and failures. Identity is safe for concurrent use; everything else belongs to the
// source's own goroutine.
type inForce struct {
	current    atomic.Pointer[Identity]
	logger     *slog.Logger
	registerer prometheus.Registerer
	expiry     *expiry
	reloads    *prometheus.CounterVec
	failure    string // what was last reported and is not yet overcome
}

// start puts the first identity in force and registers the metrics.
func (f *inForce) start(first *Identity, logger *slog.Logger, registerer prometheus.Registerer) error {
	f.logger, f.registerer = orDiscard(logger), registerer
	f.current.Store(first)
	f.expiry = newExpiry(f)
	var err error
	if f.reloads, err = registerCounter(registerer, catalog.CertificateReloads); err != nil {
		return err
	}
	f.reloads.WithLabelValues("ok")
	f.reloads.WithLabelValues("error")
	if registerer == nil {
		return nil
	}
	if err := registerer.Register(f.expiry); err != nil {
		return fmt.Errorf("mtls: cannot register metric %s (one source to a registry): %w", catalog.CertificateNotAfter.Name, err)
	}
	return nil
}

// stop unregisters the expiry metric, so that another source can register its own.
func (f *inForce) stop() {
	if f.registerer != nil {
		f.registerer.Unregister(f.expiry)
	}
}

// Identity returns the identity in force. The error is always nil: a started source has an
// identity, and keeps the last good one even after Close.
func (f *inForce) Identity() (*Identity, error) { return f.current.Load(), nil }

// replace puts next in force, unless it has another ID: authorization and logs use the ID of the
// start. It reports whether it did.
func (f *inForce) replace(next *Identity) bool {
	if is := f.current.Load().ID; next.ID != is {
		f.refuse("id "+next.ID.String(), fmt.Errorf("mtls: the new certificate is of %q, and this service has started as %q: "+
			"start it anew if it is to be another one", next.ID, is))
		return false
	}
	f.current.Store(next)
	f.failure = ""
	f.reloads.WithLabelValues("ok").Inc()
	leaf := next.Certificate.Leaf
	f.logger.Info("certificates replaced", "id", next.ID.String(), "subject", leaf.Subject.String(), "serial", leaf.SerialNumber.Text(16),
		"not_after", next.NotAfter.UTC().Format(time.RFC3339), "authorities", len(next.Authorities))
	return true
}

// refuse reports a rejected replacement, once for each key until a good one arrives.
func (f *inForce) refuse(key string, err error) {
	if key == f.failure {
		return
	}
	f.failure = key
	f.logger.Error("certificates not replaced, the last good ones stay in force", "error", err)
	f.reloads.WithLabelValues("error").Inc() // behind the line: who sees the count finds the reason
}

// restored records that the files in force were found again after a rejection.
func (f *inForce) restored() {
	if f.failure == "" {
		return
	}
	f.failure = ""
	f.logger.Info("certificates in force found again")
}
