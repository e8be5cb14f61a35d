package mtls

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
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
