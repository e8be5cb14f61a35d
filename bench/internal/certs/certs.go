// Package certs makes the certificates of a benchmark.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Dir is a folder with a certificate authority of its own, one certificate for the server and one
// for each caller, all PEM, valid for a day.
type Dir string

// CA is the file of the authority's certificate.
func (d Dir) CA() string { return filepath.Join(string(d), "ca.pem") }

// ServerCert is the file of the server's certificate.
func (d Dir) ServerCert() string { return d.cert("server") }

// ServerKey is the file of its key.
func (d Dir) ServerKey() string { return d.key("server") }

func (d Dir) cert(name string) string { return filepath.Join(string(d), name+".pem") }
func (d Dir) key(name string) string  { return filepath.Join(string(d), name+"-key.pem") }

func (d Dir) caKey() string { return filepath.Join(string(d), "ca-key.pem") }

// Write makes everything new: the server is spiffe://bench.test/SERVICE, and each caller
// spiffe://bench.test/NAME.
func (d Dir) Write(service string, callers ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template(1, "bench CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return err
	}
	errs := []error{
		writePEM(d.CA(), "CERTIFICATE", der),
		writeKey(d.caKey(), key),
		writeLeaf(ca, key, 2, service, d.ServerCert(), d.ServerKey()),
	}
	for i, name := range callers {
		errs = append(errs, writeLeaf(ca, key, int64(3+i), name, d.cert(name), d.key(name)))
	}
	return errors.Join(errs...)
}

// Renew gives the server another certificate and key, of the same authority.
func (d Dir) Renew(service string) error {
	authority, err := tls.LoadX509KeyPair(d.CA(), d.caKey())
	if err != nil {
		return err
	}
	key, ok := authority.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("the authority's key is not one that Write made")
	}
	return writeLeaf(authority.Leaf, key, time.Now().UnixNano(), service, d.ServerCert(), d.ServerKey())
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func writeLeaf(ca *x509.Certificate, caKey *ecdsa.PrivateKey, serial int64, name, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template(serial, name)
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.URIs = []*url.URL{{Scheme: "spiffe", Host: "bench.test", Path: "/" + name}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return errors.Join(writePEM(certFile, "CERTIFICATE", der), writeKey(keyFile, key))
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// ServerTLS asks for and verifies a client certificate. TLS 1.3 only, as the chassis.
func (d Dir) ServerTLS() (*tls.Config, error) {
	config, roots, err := d.load(d.ServerCert(), d.ServerKey())
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, roots
	return config, nil
}

// ClientTLS is what caller, one of those written, dials with. It offers only protocol in ALPN.
func (d Dir) ClientTLS(caller, protocol string) (*tls.Config, error) {
	config, roots, err := d.load(d.cert(caller), d.key(caller))
	if err != nil {
		return nil, err
	}
	config.RootCAs, config.ServerName, config.NextProtos = roots, "localhost", []string{protocol}
	return config, nil
}

func (d Dir) load(certFile, keyFile string) (*tls.Config, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(d.CA())
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, nil, fmt.Errorf("no certificate in %s", d.CA())
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, roots, nil
}
