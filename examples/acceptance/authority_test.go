package acceptance_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a certificate authority of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), SerialNumber: newSerial(t),
	}
	return &authority{cert: sign(t, template, template, key, key), key: key}
}

// issue returns a certificate of spiffe://example.org/name, good for servers and clients, that
// expires after life.
func (a *authority) issue(t testing.TB, name string, life time.Duration) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, SerialNumber: newSerial(t),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/" + name}},
	}
	leaf := sign(t, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// client returns what a client needs that trusts a and shows cert; none if it has no chain.
func (a *authority) client(cert tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if len(cert.Certificate) > 0 {
		// Shown whatever authorities the server names, or a stranger's would never be sent.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return config
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newSerial(t testing.TB) *big.Int {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	return serial
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// files are the certificates of a service on disk.
type files struct{ dir string }

// newFiles writes the certificates of a service that trusts authorities.
func newFiles(t testing.TB, own tls.Certificate, trusted ...*authority) files {
	t.Helper()
	f := files{t.TempDir()}
	f.setPair(t, own)
	f.setTrust(t, trusted...)
	return f
}

// env is what makes a service use the files, in production.
func (f files) env() []string {
	return []string{
		"CHASSIS_ENVIRONMENT=production", "CHASSIS_DRAIN_DELAY=0s",
		"CHASSIS_TLS_CERT_FILE=" + f.path("tls.crt"), "CHASSIS_TLS_KEY_FILE=" + f.path("tls.key"),
		"CHASSIS_TLS_CA_FILE=" + f.path("ca.crt"),
	}
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) setPair(t testing.TB, own tls.Certificate) {
	t.Helper()
	f.replace(t, "tls.crt", certPEM(own.Leaf))
	f.replace(t, "tls.key", keyPEM(t, own))
}

func (f files) setTrust(t testing.TB, trusted ...*authority) {
	t.Helper()
	var all bytes.Buffer
	for _, a := range trusted {
		all.Write(certPEM(a.cert))
	}
	f.replace(t, "ca.crt", all.Bytes())
}

// replace puts a whole new file in place of the old one.
func (f files) replace(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(f.path(name+".new"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f.path(name+".new"), f.path(name)); err != nil {
		t.Fatal(err)
	}
}

// overwrite writes into the old file, as a careless tool does.
func (f files) overwrite(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(f.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func keyPEM(t testing.TB, cert tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
