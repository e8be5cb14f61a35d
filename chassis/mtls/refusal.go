package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/allowance"
	"github.com/betmakers/paddock/internal/catalog"
)

// refusalReasons are the values of the label reason, as documented in the catalogue.
var refusalReasons = [...]string{
	"no_tls", "version", "no_certificate", "unknown_authority", "expired", "revoked", "bad_certificate", "rejected_by_peer", "timeout", "other",
}

// refusalReason returns the reason why a server's handshake failed.
func refusalReason(err error) string {
	var (
		plain  tls.RecordHeaderError
		cert   *tls.CertificateVerificationError
		op     *net.OpError
		netErr net.Error
	)
	switch {
	case errors.As(err, &plain):
		return "no_tls"
	case errors.As(err, &cert):
		return certificateReason(cert)
	case errors.As(err, &op) && op.Op == "remote error": // the alert's own type is not exported
		return "rejected_by_peer"
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	// crypto/tls has no type for these two; the tests notice if it changes the words.
	case strings.Contains(err.Error(), "unsupported versions"):
		return "version"
	case strings.Contains(err.Error(), "didn't provide a certificate"):
		return "no_certificate"
	}
	return "other"
}

func certificateReason(err *tls.CertificateVerificationError) string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		revoked *revokedError
	)
	switch {
	case errors.As(err, &unknown):
		return "unknown_authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, &revoked):
		return "revoked"
	}
	return "bad_certificate"
}

// left reports whether the peer closed the connection without sending anything, like port probes
// and load balancers' checks.
func left(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

// refusals counts and logs failed handshakes. Each reason has its own log rate, so that a port
// scan cannot hide an expired certificate.
type refusals struct {
	logger *slog.Logger
	total  *prometheus.CounterVec
	lines  allowance.Lines // by reason
}

func newRefusals(logger *slog.Logger, registerer prometheus.Registerer) (*refusals, error) {
	total, err := registerCounter(registerer, catalog.TLSHandshakeErrors)
	if err != nil {
		return nil, err
	}
	for _, reason := range refusalReasons {
		total.WithLabelValues(reason)
	}
	return &refusals{logger: orDiscard(logger), total: total}, nil
}

// observe records a failed handshake with the peer at addr.
func (r *refusals) observe(addr net.Addr, err error) {
	if left(err) {
		return
	}
	reason := refusalReason(err)
	r.total.WithLabelValues(reason).Inc()
	suppressed, ok := r.lines.Allow(reason, time.Now())
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("peer", addr.String()), slog.String("reason", reason), slog.String("error", bounded(err.Error()))}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) && len(cert.UnverifiedCertificates) > 0 {
		leaf := cert.UnverifiedCertificates[0]
		attrs = append(attrs, slog.String("subject", bounded(leaf.Subject.String())), slog.String("issuer", bounded(leaf.Issuer.String())))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	r.logger.LogAttrs(context.Background(), slog.LevelWarn, "TLS handshake refused", attrs...)
}

// bounded shortens text that the peer chose.
func bounded(s string) string {
	const limit = 300
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
