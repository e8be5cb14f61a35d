package serve

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/mtls"
)

// Domain makes the identities of one run. A nil Domain is plaintext.
type Domain struct {
	tb testing.TB
	ca *chassistest.CA
}

// NewDomain returns a domain of its own, which only those trust that it makes identities for.
func NewDomain(tb testing.TB) *Domain {
	tb.Helper()
	return &Domain{tb: tb, ca: chassistest.NewCA(tb)}
}

// TLS is what a plain server or client uses, which proves the identity of name and asks for one of
// the domain.
func (d *Domain) TLS(name string) *tls.Config {
	d.tb.Helper()
	id := d.ca.Identity(name)
	return &tls.Config{
		Certificates: []tls.Certificate{id.Certificate}, RootCAs: id.Roots, ServerName: "localhost",
		ClientCAs: id.Roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
}

// Settings are those of a service of the chassis that proves the identity of name, and others that
// are given.
func (d *Domain) Settings(name string, others map[string]string) map[string]string {
	settings := maps.Clone(others)
	if settings == nil {
		settings = map[string]string{}
	}
	if d == nil {
		settings["CHASSIS_MTLS"] = "off"
		return settings
	}
	d.tb.Helper()
	dir, id := d.tb.TempDir(), d.ca.Identity(name)
	key, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		d.tb.Fatal(err)
	}
	settings["CHASSIS_MTLS"] = "files"
	settings["CHASSIS_TLS_CERT_FILE"] = d.write(dir, "cert.pem", "CERTIFICATE", id.Certificate.Certificate[0])
	settings["CHASSIS_TLS_KEY_FILE"] = d.write(dir, "key.pem", "PRIVATE KEY", key)
	settings["CHASSIS_TLS_CA_FILE"] = d.write(dir, "ca.pem", "CERTIFICATE", authority(id))
	return settings
}

func authority(id *mtls.Identity) []byte { return id.Authorities[0].Raw }

func (d *Domain) write(dir, name, kind string, der []byte) string {
	d.tb.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		d.tb.Fatal(err)
	}
	return file
}
