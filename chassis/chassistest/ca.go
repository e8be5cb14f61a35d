package chassistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/betmakers/paddock/chassis/mtls"
)

// TrustDomain is the trust domain of services in tests, and of callers given by a plain name.
const TrustDomain = "test"

// CA is a certificate authority for one test. Its methods may be called concurrently.
type CA struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority with its own key. Only services and callers that get it trust it. A nil
// t is as for [Start].
func NewCA(t testing.TB) *CA { //nolint:thelper // t may be nil
	t = testOr(t)
	t.Helper()
	ca := &CA{t: t, key: newKey(t)}
	ca.cert = ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "chassistest"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(24 * time.Hour),
	}, ca.key, nil)
	return ca
}

// Identity mints a certificate for a SPIFFE ID, or for a name in [TrustDomain]. It is valid for
// an hour, and trusts the authority. A change, if given, alters the certificate before it is
// signed.
func (ca *CA) Identity(as string, change ...func(*x509.Certificate)) *mtls.Identity {
	ca.t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: as}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotAfter:    time.Now().Add(time.Hour), URIs: []*url.URL{idOf(ca.t, as).URL()},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	for _, c := range change {
		c(template)
	}
	key := newKey(ca.t)
	leaf := ca.sign(template, key, ca.cert)
	id, err := mtls.NewIdentity(tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, []*x509.Certificate{ca.cert})
	if err != nil {
		ca.t.Fatalf("chassistest: identity %q: %v", as, err)
	}
	return id
}

// idOf returns the SPIFFE ID of a full ID or a plain name.
func idOf(t testing.TB, as string) spiffeid.ID {
	t.Helper()
	if !strings.Contains(as, "://") {
		as = "spiffe://" + TrustDomain + "/" + as
	}
	id, err := spiffeid.FromString(as)
	if err != nil {
		t.Fatalf("chassistest: identity %q: %v", as, err)
	}
	return id
}

func (ca *CA) sign(template *x509.Certificate, key *ecdsa.PrivateKey, parent *x509.Certificate) *x509.Certificate {
	ca.t.Helper()
	if parent == nil {
		parent = template
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Minute)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), ca.key)
	if err != nil {
		ca.t.Fatalf("chassistest: cannot sign a certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatalf("chassistest: cannot read a certificate: %v", err)
	}
	return cert
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("chassistest: cannot make a key: %v", err)
	}
	return key
}

// fixed is a source whose identity never changes.
type fixed struct{ id *mtls.Identity }

func (f fixed) Identity() (*mtls.Identity, error) { return f.id, nil }

func (ca *CA) source(t testing.TB, name string) mtls.Source {
	t.Helper()
	if _, err := spiffeid.FromSegments(spiffeid.RequireTrustDomainFromString(TrustDomain), name); err != nil {
		name = "unnamed" // the service refuses the name itself, and says why
	}
	return fixed{ca.Identity(name)}
}
