package mtls_test

import (
	"bytes"
	"testing"

	"github.com/betmakers/paddock/chassis/mtls"
)

// FuzzParseCertificates holds the parser to two rules: what it accepts has a certificate for every
// block that begins as one, and cutting an accepted list short never yields a shorter list, unless
// the cut is between blocks.
func FuzzParseCertificates(f *testing.F) {
	one, two := newCA(f, "one"), newCA(f, "two")
	both := certPEM(one.cert, two.cert)
	f.Add(both, 10)
	f.Add(append([]byte("subject=CN = one\n"), both...), len(both)-5)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), 0)
	f.Add([]byte(nil), 0)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		certs, err := mtls.ParseCertificates(data)
		if err != nil {
			return
		}
		if begun := bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----")); len(certs) != begun {
			t.Errorf("%d certificates of %d", len(certs), begun)
		}
		if cut < 0 || cut >= len(data) {
			return
		}
		short, err := mtls.ParseCertificates(data[:cut])
		if err == nil && len(short) != bytes.Count(data[:cut], []byte("-----BEGIN CERTIFICATE-----")) {
			t.Errorf("a file cut at %d is taken for one with %d certificates", cut, len(short))
		}
	})
}
