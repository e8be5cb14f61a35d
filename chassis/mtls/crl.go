package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// revocations are the contents of lists of revoked certificates (RFC 5280, section 5). The zero
// value revokes nothing.
type revocations struct {
	lists map[string][]*revocationList // by the name of their issuer, in DER
	print fingerprint                  // of all that they were read from
}

type revocationList struct {
	list    *x509.RevocationList
	serials map[string]struct{}
}

// revokedError reports the revoked certificate of a chain.
type revokedError struct{ cert *x509.Certificate }

func (e *revokedError) Error() string {
	return fmt.Sprintf("certificate %s of %q is revoked", e.cert.SerialNumber.Text(16), e.cert.Subject)
}

const crlBlock = "X509 CRL"

// parseRevocations parses one or more lists in PEM, or a single list in DER.
func parseRevocations(data []byte) (revocations, error) {
	r := revocations{lists: map[string][]*revocationList{}, print: sha256.Sum256(data)}
	ders, err := derLists(data)
	if err != nil {
		return revocations{}, err
	}
	for n, der := range ders {
		list, err := parseRevocationList(der)
		if err != nil {
			return revocations{}, fmt.Errorf("list %d: %w", n+1, err)
		}
		name := string(list.list.RawIssuer)
		r.lists[name] = append(r.lists[name], list)
	}
	return r, nil
}

func derLists(data []byte) (ders [][]byte, err error) {
	if !bytes.Contains(data, pemBegin) {
		if len(bytes.TrimSpace(data)) == 0 {
			return nil, errors.New("the file is empty")
		}
		return [][]byte{data}, nil
	}
	switch ders, err = blocksOf(crlBlock, data); {
	case err != nil:
		return nil, err
	case len(ders) == 0:
		return nil, errors.New("no PEM block of type X509 CRL in it")
	}
	return ders, nil
}

// distributionPoint is the one critical extension of complete lists that a reader may ignore: it
// limits the scope of the list. An indirect list names certificates of other issuers by a
// critical extension of its entries.
var distributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}

func parseRevocationList(der []byte) (*revocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("cannot parse it: %w", err)
	}
	for _, extension := range list.Extensions {
		if extension.Critical && !extension.Id.Equal(distributionPoint) {
			return nil, fmt.Errorf("critical extension %s is not supported: expected a complete list of one authority", extension.Id)
		}
	}
	parsed := &revocationList{list: list, serials: make(map[string]struct{}, len(list.RevokedCertificateEntries))}
	for _, entry := range list.RevokedCertificateEntries {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return nil, fmt.Errorf("critical extension %s of an entry is not supported: expected a complete list of one authority", extension.Id)
			}
		}
		parsed.serials[key(entry.SerialNumber)] = struct{}{}
	}
	return parsed, nil
}

func key(serial *big.Int) string { return serial.Text(36) }

// has reports whether a list signed by issuer contains cert. A list of another authority with the
// same name is ignored. An outdated list still counts, because a revocation is permanent.
func (r *revocations) has(cert, issuer *x509.Certificate) bool {
	for _, list := range r.lists[string(cert.RawIssuer)] {
		if _, listed := list.serials[key(cert.SerialNumber)]; listed && list.list.CheckSignatureFrom(issuer) == nil {
			return true
		}
	}
	return false
}

// check rejects lists that name one of the authorities as issuer without its signature: an
// operator should not believe that an ignored list is in force.
func (r *revocations) check(authorities []*x509.Certificate) error {
	for _, lists := range r.lists {
		for _, list := range lists {
			named, signed := list.issuedBy(authorities)
			if named && !signed {
				return fmt.Errorf("the list of %q is not signed by a trusted root of that name, or that root's key usage lacks cRLSign", list.list.Issuer)
			}
		}
	}
	return nil
}

func (l *revocationList) issuedBy(authorities []*x509.Certificate) (named, signed bool) {
	for _, authority := range authorities {
		if bytes.Equal(authority.RawSubject, l.list.RawIssuer) {
			named = true
			signed = signed || l.list.CheckSignatureFrom(authority) == nil
		}
	}
	return named, signed
}

// outdated returns the list that was due for replacement first before now, nil if none was.
func (r *revocations) outdated(now time.Time) (oldest *x509.RevocationList) {
	for _, lists := range r.lists {
		for _, l := range lists {
			next := l.list.NextUpdate
			if !next.IsZero() && next.Before(now) && (oldest == nil || next.Before(oldest.NextUpdate)) {
				oldest = l.list
			}
		}
	}
	return oldest
}
