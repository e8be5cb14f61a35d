package mtls

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fileSet names the files of a [FileSource].
type fileSet struct{ cert, key, ca, crl string }

// each returns the configured files in the order in which they are read.
func (f fileSet) each() []string {
	if f.crl == "" {
		return []string{f.cert, f.key, f.ca}
	}
	return []string{f.cert, f.key, f.ca, f.crl}
}

func (f fileSet) named() error {
	var errs []error
	for _, file := range []struct{ path, what string }{{f.cert, "certificate"}, {f.key, "private key"}, {f.ca, "trusted roots"}} {
		if file.path == "" {
			errs = append(errs, fmt.Errorf("mtls: no file named for the %s", file.what))
		}
	}
	return errors.Join(errs...)
}

// folders returns the folders of the files without duplicates. Replacing a link changes the
// link's folder, so watching these folders covers Kubernetes' swap of "..data".
func (f fileSet) folders() []string {
	var folders []string
	for _, path := range f.each() {
		folders = append(folders, filepath.Dir(path))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// fingerprint is a hash of the contents of the files and of read errors.
type fingerprint [sha256.Size]byte

// contents is the result of one look at the files.
type contents struct {
	files              fileSet
	cert, key, ca, crl []byte
	err                error // of the first file that could not be read
	print              fingerprint
}

func (f fileSet) read() contents {
	c := contents{files: f}
	sum := sha256.New()
	to := [...]*[]byte{&c.cert, &c.key, &c.ca, &c.crl}
	for n, path := range f.each() {
		data, err := readFile(path)
		if err != nil && c.err == nil {
			c.err = err
		}
		*to[n] = data
		_, _ = fmt.Fprintf(sum, "%d %v\n", len(data), err)
		sum.Write(data)
	}
	sum.Sum(c.print[:0])
	return c
}

// fileLimit is far larger than any bundle of roots (the Mozilla list has 220 kB) and than lists
// of 200,000 revoked certificates.
const fileLimit = 8 << 20

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, fileLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > fileLimit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, fileLimit)
	}
	return data, nil
}

// identity makes an identity of the contents, which must be valid at now. Errors name the faulty
// file and never quote it.
func (c contents) identity(now time.Time) (*Identity, error) {
	if c.err != nil {
		return nil, fmt.Errorf("mtls: cannot read: %w", c.err)
	}
	// tls.X509KeyPair stops at the first mistake. Parsing the certificates first shows which file
	// has it.
	if _, err := parseCertificates(c.cert); err != nil {
		return nil, fmt.Errorf("mtls: certificate file %s: %w", c.files.cert, err)
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("mtls: key file %s: expected the private key of the certificate in %s: %w", c.files.key, c.files.cert, err)
	}
	authorities, skipped, err := parseAuthorities(c.ca)
	if err != nil {
		return nil, fmt.Errorf("mtls: trusted roots file %s: %w", c.files.ca, err)
	}
	identity, err := NewIdentity(pair, authorities)
	if err == nil {
		identity.skipped = skipped
		err = identity.current(now)
	}
	if err != nil {
		return nil, fmt.Errorf("mtls: certificate file %s: %w", c.files.cert, err)
	}
	if !slices.ContainsFunc(authorities, func(ca *x509.Certificate) bool { return now.Before(ca.NotAfter) }) {
		return nil, fmt.Errorf("mtls: trusted roots file %s: every certificate in it has expired", c.files.ca)
	}
	if c.files.crl == "" {
		return identity, nil
	}
	if identity.revoked, err = parseRevocations(c.crl); err == nil {
		err = identity.revoked.check(authorities)
	}
	if err != nil {
		return nil, fmt.Errorf("mtls: revocation list file %s: %w", c.files.crl, err)
	}
	return identity, nil
}
