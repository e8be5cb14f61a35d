package mtls

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// accept decides about a peer whose certificate Roots has verified by chains. It returns the
// peer's ID and the time when the last acceptable chain expires.
func (i *Identity) accept(leaf *x509.Certificate, chains [][]*x509.Certificate) (id spiffeid.ID, until time.Time, err error) {
	if id, err = leafID(leaf); err != nil {
		return spiffeid.ID{}, time.Time{}, err
	}
	domain := id.TrustDomain()
	if id.IsZero() {
		domain = i.ID.TrustDomain()
	}
	err = fmt.Errorf("no root of trust domain %q vouches for %q", domain.Name(), id.String())
	for _, chain := range chains {
		if why := i.acceptChain(domain, chain); why != nil {
			err = why
			continue
		}
		if end := endOf(chain); end.After(until) {
			until = end
		}
	}
	if until.IsZero() {
		return spiffeid.ID{}, time.Time{}, err
	}
	return id, until, nil
}

// acceptChain decides about a verified chain for an ID of domain. A zero domain means a peer
// without an ID.
func (i *Identity) acceptChain(domain spiffeid.TrustDomain, chain []*x509.Certificate) error {
	if err := i.bound(domain, chain[1:]); err != nil {
		return err
	}
	for n, cert := range chain {
		if err := strongKey(cert); err != nil {
			return err
		}
		if n+1 < len(chain) && i.revoked.has(cert, chain[n+1]) {
			return &revokedError{cert}
		}
	}
	return nil
}

// bound checks that the authorities of a chain may vouch for the trust domain of the leaf. If the
// source limits authorities to domains, these limits apply, otherwise the domain that each
// authority names itself.
func (i *Identity) bound(domain spiffeid.TrustDomain, authorities []*x509.Certificate) error {
	if i.domains != nil {
		if n := len(authorities); n > 0 && slices.ContainsFunc(i.domains[domain], authorities[n-1].Equal) {
			return nil
		}
		return fmt.Errorf("no root of trust domain %q vouches for it", domain.Name())
	}
	for _, authority := range authorities {
		own, named, err := domainOf(authority)
		if err != nil {
			return fmt.Errorf("authority %q: %w", authority.Subject, err)
		}
		if named && !domain.IsZero() && own != domain {
			return fmt.Errorf("authority %q is of trust domain %q and cannot vouch for one of %q", authority.Subject, own.Name(), domain.Name())
		}
	}
	return nil
}

// endOf returns the time when the first certificate of a chain expires.
func endOf(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, cert := range chain[1:] {
		if cert.NotAfter.Before(end) {
			end = cert.NotAfter
		}
	}
	return end
}

// trustsAs reports whether i accepts the same peers as other.
func (i *Identity) trustsAs(other *Identity) bool {
	if !i.Roots.Equal(other.Roots) || i.ID.TrustDomain() != other.ID.TrustDomain() || i.revoked.print != other.revoked.print ||
		(i.domains == nil) != (other.domains == nil) || len(i.domains) != len(other.domains) {
		return false
	}
	for domain, certs := range i.domains {
		if !pool(certs).Equal(pool(other.domains[domain])) {
			return false
		}
	}
	return true
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}
