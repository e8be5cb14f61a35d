package mtls_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis/mtls"
)

// negative returns the certificate with a negative serial number, as PEM. crypto/x509 makes none.
func negative(t *testing.T, cert *x509.Certificate) []byte {
	t.Helper()
	der := bytes.Clone(cert.Raw)
	version := bytes.Index(der, []byte{0xa0, 3, 2, 1, 2, 2}) // [0] { INTEGER 2 }, INTEGER
	if version < 0 {
		t.Fatal("the serial number is not found")
	}
	der[version+7] |= 0x80
	if _, err := x509.ParseCertificate(der); err == nil || !strings.Contains(err.Error(), "negative serial") {
		t.Fatalf("parsed: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A root with a negative serial number spoils no bundle: it is skipped, with a warning, and the
// others are trusted.
func TestRootWithNegativeSerialNumber(t *testing.T) {
	own, old, dir := newCA(t, "own"), newCA(t, "old"), t.TempDir()
	m := materialOf(t, own.issue(t, uris("spiffe://example.org/wallet")), own)
	m.ca = append(append(negative(t, old.cert), m.ca...), negative(t, old.cert)...)
	m.write(t, dir)
	var log bytes.Buffer
	cfg := config(dir)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	src := follow(t, cfg)
	identity, err := src.Identity()
	ok(t, err)
	if len(identity.Authorities) != 1 || !identity.Authorities[0].Equal(own.cert) {
		t.Errorf("%d authorities are trusted, want the own one", len(identity.Authorities))
	}
	ok(t, src.Close())
	if !strings.Contains(log.String(), "skipped for a negative serial number") || !strings.Contains(log.String(), `certificates="[1 3]"`) {
		t.Errorf("logged %s, want the first and the third certificate", &log)
	}
}

// A bundle of nothing else is refused, and so is one with another mistake, and a leaf of that kind.
func TestNegativeSerialNumberThatIsNoRootToSkip(t *testing.T) {
	own := newCA(t, "own")
	for name, change := range map[string]func(*material){
		"alone": func(m *material) { m.ca = negative(t, own.cert) },
		"beside damage": func(m *material) {
			m.ca = append(negative(t, own.cert), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...)
		},
		"beside half one": func(m *material) { m.ca = append(negative(t, own.cert), m.ca[:len(m.ca)/2]...) },
		"in the chain":    func(m *material) { m.cert = append(m.cert, negative(t, own.cert)...) },
	} {
		dir := t.TempDir()
		m := materialOf(t, own.issue(t, uris("spiffe://example.org/wallet")), own)
		change(&m)
		m.write(t, dir)
		if src, err := mtls.Files(t.Context(), config(dir)); err == nil {
			_ = src.Close()
			t.Errorf("%s: accepted, want an error", name)
		}
	}
}
