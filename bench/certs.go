package main

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

// certDir is a folder with a certificate authority of its own and one certificate for the server and one for the
// load generator, all PEM, valid for a day.
type certDir string

func (d certDir) ca() string         { return filepath.Join(string(d), "ca.pem") }
func (d certDir) serverCert() string { return filepath.Join(string(d), "server.pem") }
func (d certDir) serverKey() string  { return filepath.Join(string(d), "server-key.pem") }
func (d certDir) clientCert() string { return filepath.Join(string(d), "client.pem") }
func (d certDir) clientKey() string  { return filepath.Join(string(d), "client-key.pem") }

// write makes everything new.
func (d certDir) write() error {
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
	return errors.Join(
		writePEM(d.ca(), "CERTIFICATE", der),
		writeLeaf(ca, key, 2, "echo", d.serverCert(), d.serverKey()),
		writeLeaf(ca, key, 3, "generator", d.clientCert(), d.clientKey()),
	)
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
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(writePEM(certFile, "CERTIFICATE", der), writePEM(keyFile, "PRIVATE KEY", keyDER))
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// serverTLS asks for and verifies a client certificate. TLS 1.3 only, as the chassis.
func (d certDir) serverTLS() (*tls.Config, error) {
	config, roots, err := d.load(d.serverCert(), d.serverKey())
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, roots
	return config, nil
}

// clientTLS offers only protocol in ALPN.
func (d certDir) clientTLS(protocol string) (*tls.Config, error) {
	config, roots, err := d.load(d.clientCert(), d.clientKey())
	if err != nil {
		return nil, err
	}
	config.RootCAs, config.ServerName, config.NextProtos = roots, "localhost", []string{protocol}
	return config, nil
}

func (d certDir) load(certFile, keyFile string) (*tls.Config, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(d.ca())
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, nil, fmt.Errorf("no certificate in %s", d.ca())
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, roots, nil
}
