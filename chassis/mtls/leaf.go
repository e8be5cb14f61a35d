package mtls

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// leastRSA is the length in bits of the shortest accepted RSA key, as required by NIST SP 800-57
// and the CA/Browser Forum.
const leastRSA = 2048

// The limits of an ID in the SPIFFE standard, sections 2.1 and 2.3, in bytes. They bound the size
// of a peer's name in logs and keys.
const longestID, longestDomain = 2048, 255

// leafID returns the SPIFFE ID of a leaf certificate, zero if it has no URI. The error of a
// certificate that must be rejected names the violated rule of X.509-SVID, sections 4 and 5.
func leafID(cert *x509.Certificate) (spiffeid.ID, error) {
	if cert.IsCA {
		return spiffeid.ID{}, errors.New("it is the certificate of an authority, which must not be used as a peer's own")
	}
	if err := strongKey(cert); err != nil {
		return spiffeid.ID{}, err
	}
	id, err := certificateID(cert)
	if err != nil || id.IsZero() {
		return id, err
	}
	switch {
	case id.Path() == "":
		err = fmt.Errorf("SPIFFE ID %q has no path: it names a trust domain and not a service", id)
	case cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		err = errors.New("its key usage has keyCertSign or cRLSign, which are for authorities")
	case cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		err = errors.New("its key usage lacks digitalSignature")
	}
	if err != nil {
		return spiffeid.ID{}, err
	}
	return id, nil
}

// certificateID returns the SPIFFE ID of cert: zero without a URI, an error for several URIs or a
// malformed one.
func certificateID(cert *x509.Certificate) (spiffeid.ID, error) {
	switch len(cert.URIs) {
	case 0:
		return spiffeid.ID{}, nil
	case 1:
		id, err := spiffeid.FromURI(cert.URIs[0])
		switch {
		case err != nil:
			return spiffeid.ID{}, fmt.Errorf("URI in the alternative names is not a SPIFFE ID: %w", err)
		case len(id.String()) > longestID || len(id.TrustDomain().Name()) > longestDomain:
			return spiffeid.ID{}, fmt.Errorf("SPIFFE ID is longer than %d bytes, or its trust domain than %d", longestID, longestDomain)
		}
		return id, nil
	default:
		return spiffeid.ID{}, fmt.Errorf("%d URIs in the alternative names, expected the SPIFFE ID alone", len(cert.URIs))
	}
}

// strongKey rejects short RSA keys. Curves need no check, because TLS 1.3 has no weak ones.
func strongKey(cert *x509.Certificate) error {
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < leastRSA {
		return fmt.Errorf("RSA key of %q has %d bits, expected %d at least", cert.Subject, key.N.BitLen(), leastRSA)
	}
	return nil
}

// domainOf returns the trust domain in the SPIFFE ID of an authority's certificate. Most have
// none. Other URIs are ignored. A malformed or second SPIFFE ID is an error, because its meaning
// would be ambiguous.
func domainOf(authority *x509.Certificate) (domain spiffeid.TrustDomain, named bool, err error) {
	for _, uri := range authority.URIs {
		if uri.Scheme != "spiffe" {
			continue
		}
		id, err := spiffeid.FromURI(uri)
		switch {
		case err != nil:
			return spiffeid.TrustDomain{}, false, fmt.Errorf("its URI %q is not a SPIFFE ID: %w", uri, err)
		case named && domain != id.TrustDomain():
			return spiffeid.TrustDomain{}, false, fmt.Errorf("it names two trust domains, %q and %q", domain.Name(), id.TrustDomain().Name())
		}
		domain, named = id.TrustDomain(), true
	}
	return domain, named, nil
}
