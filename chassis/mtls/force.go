package mtls

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// inForce is the part that the sources share: it holds the identity in force, and tells log and metrics when it changes
// or fails to. Identity is safe for concurrent use; everything else belongs to the source's own goroutine.
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

// stop takes the expiry off the registry, so that another source can take its place there.
func (f *inForce) stop() {
	if f.registerer != nil {
		f.registerer.Unregister(f.expiry)
	}
}

// Identity returns what is in force now. Its error is always nil: once a source has started it has an identity, and
// it keeps the last good one, even after Close.
func (f *inForce) Identity() (*Identity, error) { return f.current.Load(), nil }

// replace puts next in force, unless it is of somebody else: who a service is was decided when it started, and
// authorization and logs go by that. It reports whether it did.
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

// refuse reports a replacement that was not put in force: once for each key, until a good one comes.
func (f *inForce) refuse(key string, err error) {
	if key == f.failure {
		return
	}
	f.failure = key
	f.logger.Error("certificates not replaced, the last good ones stay in force", "error", err)
	f.reloads.WithLabelValues("error").Inc() // behind the line: who sees the count finds the reason
}

// restored notes that what is in force was found again after a refusal.
func (f *inForce) restored() {
	if f.failure == "" {
		return
	}
	f.failure = ""
	f.logger.Info("certificates in force found again")
}
