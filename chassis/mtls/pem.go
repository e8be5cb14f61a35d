package mtls

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

const certificateBlock = "CERTIFICATE"

// parseCertificates returns the certificates in PEM data, at least one. Text between the blocks
// is allowed, because openssl writes it. A truncated block is an error, because half a list of
// roots is a different list.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	ders, whole := blocksOf(certificateBlock, data)
	var certs []*x509.Certificate
	for _, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("cannot parse certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	switch {
	case whole != nil:
		return nil, whole
	case len(certs) == 0:
		return nil, errors.New("no PEM certificate in it")
	}
	return certs, nil
}

// parseAuthorities is parseCertificates for a bundle of roots. A certificate with a negative serial
// number, which crypto/x509 refuses and some old authorities have, is skipped: nobody that it has
// issued is trusted, and the others of the bundle still are. The result names those that were
// skipped, by their place in the file from 1 on. If there is no other, it is an error.
func parseAuthorities(data []byte) (certs []*x509.Certificate, skipped []int, err error) {
	ders, whole := blocksOf(certificateBlock, data)
	if whole != nil {
		return nil, nil, whole
	}
	var first error
	for i, der := range ders {
		cert, err := x509.ParseCertificate(der)
		switch {
		case err == nil:
			certs = append(certs, cert)
			continue
		case !hasNegativeSerial(der):
			return nil, nil, fmt.Errorf("cannot parse certificate %d: %w", i+1, err)
		case first == nil:
			first = fmt.Errorf("cannot parse certificate %d: %w", i+1, err)
		}
		skipped = append(skipped, i+1)
	}
	switch {
	case len(ders) == 0:
		return nil, nil, errors.New("no PEM certificate in it")
	case len(certs) == 0:
		return nil, nil, first
	}
	return certs, skipped, nil
}

// hasNegativeSerial reports whether der is a certificate whose serial number is negative, and which
// is whole otherwise, as far as its outer form shows.
func hasNegativeSerial(der []byte) bool {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &cert); err != nil || len(rest) > 0 {
		return false
	}
	inner := cert.TBS.Bytes
	var version asn1.RawValue
	if rest, err := asn1.Unmarshal(inner, &version); err == nil && version.Class == asn1.ClassContextSpecific && version.Tag == 0 {
		inner = rest
	}
	var serial *big.Int
	_, err := asn1.Unmarshal(inner, &serial)
	return err == nil && serial.Sign() < 0
}

// blocksOf returns the contents of the PEM blocks of a type, and an error if any block is
// truncated.
func blocksOf(kind string, data []byte) (contents [][]byte, err error) {
	whole := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		whole++
		if block.Type == kind {
			contents = append(contents, block.Bytes)
		}
	}
	if begun := bytes.Count(data, pemBegin); begun != whole {
		err = fmt.Errorf("%d PEM blocks begin and %d are whole: the file is damaged or half-written", begun, whole)
	}
	return contents, err
}

var pemBegin = []byte("-----BEGIN ")
