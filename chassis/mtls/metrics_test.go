package mtls_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/leakcheck"
)

func until(at time.Time) leaf { return func(c *x509.Certificate) { c.NotAfter = at } }

// An authority and an intermediate end as well, and take the certificate with them.
func TestExpiryOfTheChain(t *testing.T) {
	leakcheck.Check(t)
	now := time.Now().Truncate(time.Second)
	root, retired := newCA(t, "root", until(now.Add(72*time.Hour))), newCA(t, "retired", until(now.Add(24*time.Hour)))
	issuing := root.intermediate(t, "issuing", until(now.Add(48*time.Hour)))
	dir, registry := t.TempDir(), prometheus.NewRegistry()
	material := materialOf(t, root.through(t, issuing), root, retired)
	material.cert = append(material.cert, certPEM(issuing.cert)...)
	material.write(t, dir)
	cfg := config(dir)
	cfg.Registerer = registry
	follow(t, cfg)
	for part, want := range map[string]time.Duration{"intermediate": 48 * time.Hour, "authority": 72 * time.Hour, "trusted": 24 * time.Hour} {
		if got := metric(t, registry, "chassis_certificate_chain_not_after_timestamp_seconds", part); got != float64(now.Add(want).Unix()) {
			t.Errorf("%s ends at %v, want %v", part, got, now.Add(want).Unix())
		}
	}
}

// Without an intermediate there is none to end.
func TestExpiryWithoutAnIntermediate(t *testing.T) {
	leakcheck.Check(t)
	own, dir, registry := newCA(t, "own"), t.TempDir(), prometheus.NewRegistry()
	materialOf(t, own.issue(t), own).write(t, dir)
	cfg := config(dir)
	cfg.Registerer = registry
	follow(t, cfg)
	if got := metric(t, registry, "chassis_certificate_chain_not_after_timestamp_seconds", "intermediate"); got != -1 {
		t.Errorf("an intermediate ends at %v", got)
	}
	if got := metric(t, registry, "chassis_certificate_chain_not_after_timestamp_seconds", "authority"); got != float64(own.cert.NotAfter.Unix()) {
		t.Errorf("the authority ends at %v", got)
	}
}
