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
type fileSet struct{ cert, key, ca string }

func (f fileSet) named() error {
	var errs []error
	for _, file := range []struct{ path, what string }{{f.cert, "certificate"}, {f.key, "private key"}, {f.ca, "trusted roots"}} {
		if file.path == "" {
			errs = append(errs, fmt.Errorf("mtls: no file named for the %s", file.what))
		}
	}
	return errors.Join(errs...)
}

// folders returns the folders of the files, each once. A replaced link is a change in its own folder, so watching
// these covers Kubernetes' swap of "..data".
func (f fileSet) folders() []string {
	folders := []string{filepath.Dir(f.cert), filepath.Dir(f.key), filepath.Dir(f.ca)}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// fingerprint stands for the contents of the three files, readable or not.
type fingerprint [sha256.Size]byte

// contents is what one look at the files found.
type contents struct {
	files         fileSet
	cert, key, ca []byte
	err           error // of the first file that could not be read
	print         fingerprint
}

func (f fileSet) read() contents {
	c := contents{files: f}
	sum := sha256.New()
	for _, file := range []struct {
		path string
		to   *[]byte
	}{{f.cert, &c.cert}, {f.key, &c.key}, {f.ca, &c.ca}} {
		data, err := readFile(file.path)
		if err != nil && c.err == nil {
			c.err = err
		}
		*file.to = data
		_, _ = fmt.Fprintf(sum, "%d %v\n", len(data), err)
		sum.Write(data)
	}
	sum.Sum(c.print[:0])
	return c
}

// fileLimit is far above any bundle of roots; the Mozilla list has 220 kB.
const fileLimit = 4 << 20

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

// identity makes an identity of the contents, valid at now. Errors name the file at fault and never quote from it.
func (c contents) identity(now time.Time) (*Identity, error) {
	if c.err != nil {
		return nil, fmt.Errorf("mtls: cannot read: %w", c.err)
	}
	// tls.X509KeyPair stops at the first thing it dislikes; looking at the certificates first tells which file it is.
	if _, err := parseCertificates(c.cert); err != nil {
		return nil, fmt.Errorf("mtls: certificate file %s: %w", c.files.cert, err)
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("mtls: key file %s: expected the private key of the certificate in %s: %w", c.files.key, c.files.cert, err)
	}
	authorities, err := parseCertificates(c.ca)
	if err != nil {
		return nil, fmt.Errorf("mtls: trusted roots file %s: %w", c.files.ca, err)
	}
	identity, err := NewIdentity(pair, authorities)
	if err == nil {
		err = identity.current(now)
	}
	if err != nil {
		return nil, fmt.Errorf("mtls: certificate file %s: %w", c.files.cert, err)
	}
	if !slices.ContainsFunc(authorities, func(ca *x509.Certificate) bool { return now.Before(ca.NotAfter) }) {
		return nil, fmt.Errorf("mtls: trusted roots file %s: every certificate in it has expired", c.files.ca)
	}
	return identity, nil
}

// verifiesItself checks that the own chain leads to one of the own roots.
func (i *Identity) verifiesItself() error {
	intermediates := x509.NewCertPool()
	for _, der := range i.Certificate.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(cert)
		}
	}
	_, err := i.Certificate.Leaf.Verify(x509.VerifyOptions{
		Roots: i.Roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}
