package mtls_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/chassis/mtls"
)

func usage(is x509.KeyUsage) leaf { return func(c *x509.Certificate) { c.KeyUsage = is } }

func asAuthority(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }

// intermediate returns an authority that c vouches for.
func (c *ca) intermediate(t testing.TB, name string, changes ...leaf) *ca {
	t.Helper()
	key := newKey(t)
	return &ca{cert: c.sign(t, &key.PublicKey, append([]leaf{func(template *x509.Certificate) {
		template.Subject, template.IsCA, template.BasicConstraintsValid = pkix.Name{CommonName: name}, true, true
		template.KeyUsage, template.ExtKeyUsage, template.DNSNames = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil, nil
	}}, changes...)...), key: key}
}

// sign signs the certificate of a key of any kind.
func (c *ca) sign(t testing.TB, public any, changes ...leaf) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, public, c.key)
	ok(t, err)
	cert, err := x509.ParseCertificate(der)
	ok(t, err)
	return cert
}

// through returns a certificate for web that intermediate has issued, with the chain to it.
func (c *ca) through(t testing.TB, intermediate *ca, changes ...leaf) tls.Certificate {
	t.Helper()
	cert := intermediate.issue(t, append([]leaf{uris("spiffe://example.org/web")}, changes...)...)
	cert.Certificate = append(cert.Certificate, intermediate.cert.Raw)
	return cert
}

func rsaLeaf(t testing.TB, c *ca, bits int) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	ok(t, err)
	cert := c.sign(t, key.Public(), uris("spiffe://example.org/web"))
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// A leaf that X.509-SVID forbids proves nothing, to a server, to a client, and as one's own.
func TestLeafRules(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	root := newCA(t, "root")
	web := uris("spiffe://example.org/web")
	src := fixed(t, root.issue(t, uris("spiffe://example.org/server")), root)
	const digital = x509.KeyUsageDigitalSignature
	for name, tc := range map[string]struct {
		cert tls.Certificate
		good bool
	}{
		"a good one":                         {root.issue(t, web), true},
		"with key encipherment, as many are": {root.issue(t, web, usage(digital|x509.KeyUsageKeyEncipherment)), true},
		"RSA 2048":                           {rsaLeaf(t, root, 2048), true},
		"no SPIFFE ID, no key usage":         {root.issue(t, usage(0)), true}, // X.509-SVID has no say in it
		"an authority":                       {root.issue(t, web, asAuthority), false},
		"an authority without a SPIFFE ID":   {root.issue(t, asAuthority), false},
		"keyCertSign":                        {root.issue(t, web, usage(digital|x509.KeyUsageCertSign)), false},
		"cRLSign":                            {root.issue(t, web, usage(digital|x509.KeyUsageCRLSign)), false},
		"no digitalSignature":                {root.issue(t, web, usage(x509.KeyUsageKeyEncipherment)), false},
		"no key usage":                       {root.issue(t, web, usage(0)), false},
		"no path":                            {root.issue(t, uris("spiffe://example.org")), false},
		"an ID of 2,048 bytes":               {root.issue(t, uris("spiffe://example.org/"+strings.Repeat("x", 2048-21))), true},
		"an ID of 2,049 bytes":               {root.issue(t, uris("spiffe://example.org/"+strings.Repeat("x", 2049-21))), false},
		"a trust domain of 255 bytes":        {root.issue(t, uris("spiffe://"+strings.Repeat("x", 255)+"/web")), true},
		"a trust domain of 256 bytes":        {root.issue(t, uris("spiffe://"+strings.Repeat("x", 256)+"/web")), false},
		"two IDs":                            {root.issue(t, uris("spiffe://example.org/web", "spiffe://example.org/x")), false},
		"an ID and another URI":              {root.issue(t, uris("spiffe://example.org/web", "https://example.org")), false},
		"RSA 1024":                           {rsaLeaf(t, root, 1024), false},
	} {
		t.Run(name, func(t *testing.T) {
			client := presenting(src, tc.cert)
			if tc.good {
				addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(context.Context) {})
				ok(t, call(t, addr, credentials.NewTLS(client)))
			} else {
				refuses(t, src, "bad_certificate", credentials.NewTLS(client))
			}
			if _, err := mtls.NewIdentity(tc.cert, authorities([]*ca{root})); (err == nil) != tc.good {
				t.Errorf("as one's own: got %v", err)
			}
		})
	}
}

// An authority that names a trust domain vouches for that one alone, wherever in the chain it
// stands.
func TestAuthoritiesAreBoundToTheirDomain(t *testing.T) {
	of := func(domain string) leaf { return uris("spiffe://" + domain) }
	ours, nameless := newCA(t, "ours", of("ours.example")), newCA(t, "nameless")
	partner := newCA(t, "partner", of("partner.example"))
	both := newCA(t, "with a web address", uris("https://ca.example", "spiffe://partner.example"))
	src := fixed(t, ours.issue(t, uris("spiffe://ours.example/server")), ours, partner, nameless, both)
	admin, theirs := uris("spiffe://ours.example/admin"), uris("spiffe://partner.example/web")
	through := func(root *ca, domain string, id leaf) tls.Certificate {
		middle := root.intermediate(t, "between", of(domain))
		cert := middle.issue(t, id)
		cert.Certificate = append(cert.Certificate, middle.cert.Raw)
		return cert
	}
	for name, tc := range map[string]struct {
		cert tls.Certificate
		good bool
	}{
		"ours of ours":                             {ours.issue(t, admin), true},
		"theirs of the partner":                    {partner.issue(t, theirs), true},
		"ours of one that names none":              {nameless.issue(t, admin), true},
		"theirs of one that names none":            {nameless.issue(t, theirs), true},
		"theirs of one with another URI":           {both.issue(t, theirs), true},
		"theirs of their intermediate":             {through(nameless, "partner.example", theirs), true},
		"ours of the partner":                      {partner.issue(t, admin), false},
		"ours of one with another URI":             {both.issue(t, admin), false},
		"theirs of ours":                           {ours.issue(t, theirs), false},
		"ours of the partner's intermediate":       {through(nameless, "partner.example", admin), false},
		"ours of an intermediate of the partner":   {through(partner, "ours.example", admin), false},
		"no identity, of the partner":              {partner.issue(t), false},
		"no identity, of ours":                     {ours.issue(t), true},
		"no identity, of one that names no domain": {nameless.issue(t), true},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(context.Context) {})
			if err := call(t, addr, credentials.NewTLS(presenting(src, tc.cert))); (err == nil) != tc.good {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, root := range map[string]*ca{
		"two domains":      newCA(t, "two", of("a.example"), of("b.example")),
		"no SPIFFE ID":     newCA(t, "bad", uris("spiffe://A_b!/")),
		"one with a query": newCA(t, "query", uris("spiffe://a.example?x=1")),
	} {
		if _, err := mtls.NewIdentity(ours.issue(t, admin), authorities([]*ca{ours, root})); err == nil || !strings.Contains(err.Error(), "trusted root") {
			t.Errorf("a root with %s: got %v, want an error", name, err)
		}
	}
}
