package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Source returns the identity in force. It is asked at every handshake and for every call.
// Identity must be safe for concurrent use, must not block, and should return the same pointer
// until the identity changes. The returned Identity is shared and must not be changed.
type Source interface {
	Identity() (*Identity, error)
}

// Identity is a service's certificate and trusted roots at one moment. Make one with
// [NewIdentity] and do not change it afterwards.
type Identity struct {
	// Certificate is the service's chain with its private key. Its Leaf is set.
	Certificate tls.Certificate
	// ID is the SPIFFE ID of Certificate. It is zero if the certificate has none.
	ID spiffeid.ID
	// NotAfter is the time when Certificate's leaf expires.
	NotAfter time.Time
	// Roots verifies the certificates of peers. It has exactly the certificates in Authorities.
	Roots *x509.CertPool
	// Authorities are the certificates in Roots, for display.
	Authorities []*x509.Certificate

	// domains limits each authority to IDs of its trust domain. If nil, an authority is limited
	// to the domain that it names, if any.
	domains map[spiffeid.TrustDomain][]*x509.Certificate
	revoked revocations
	skipped []int // certificates of the roots file that are not in Authorities, from 1 on
}

// NewIdentity returns an identity with cert that trusts authorities, each for the trust domain
// that it names (see the package documentation). It fails if cert has no chain, has no key or
// would be rejected as a peer's certificate, or if authorities is empty: crypto/tls would then
// trust the roots of the operating system. It does not check expiry.
func NewIdentity(cert tls.Certificate, authorities []*x509.Certificate) (*Identity, error) {
	if len(cert.Certificate) == 0 || cert.PrivateKey == nil {
		return nil, errors.New("mtls: identity needs a certificate chain and its private key")
	}
	if len(authorities) == 0 {
		return nil, errors.New("mtls: identity needs at least one trusted root")
	}
	if cert.Leaf == nil {
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("mtls: cannot parse own certificate: %w", err)
		}
		cert.Leaf = leaf
	}
	id, err := leafID(cert.Leaf)
	if err != nil {
		return nil, fmt.Errorf("mtls: own certificate: %w", err)
	}
	for _, authority := range authorities {
		if _, _, err := domainOf(authority); err != nil {
			return nil, fmt.Errorf("mtls: trusted root %q: %w", authority.Subject, err)
		}
	}
	return &Identity{
		Certificate: cert, ID: id, NotAfter: cert.Leaf.NotAfter,
		Roots: pool(authorities), Authorities: slices.Clone(authorities),
	}, nil
}

// current checks that the leaf is valid at now.
func (i *Identity) current(now time.Time) error {
	leaf := i.Certificate.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("certificate expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// verifiesItself checks that the service's chain leads to one of its own roots.
func (i *Identity) verifiesItself() error {
	intermediates := x509.NewCertPool()
	for _, der := range i.Certificate.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(cert)
		}
	}
	chains, err := i.Certificate.Leaf.Verify(x509.VerifyOptions{
		Roots: i.Roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err == nil {
		_, _, err = i.accept(i.Certificate.Leaf, chains)
	}
	return err
}

// equal reports whether both have the same contents, as after a reconnection to the Workload API.
func (i *Identity) equal(other *Identity) bool {
	return i.Certificate.Leaf.Equal(other.Certificate.Leaf) && i.trustsAs(other)
}
