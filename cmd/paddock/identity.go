package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/contract"
)

// identity makes a development certificate, or says what a certificate is worth.
func (t *tool) identity(ctx context.Context, args []string) error {
	flags := t.flags("identity [NAME]")
	cert := flags.String("cert", "", "PEM file of a certificate to look at")
	may := flags.String("may", "", "method that it may call or not, such as GetItem or shop.v1.ShopService/GetItem")
	dir := flags.String("dir", ".", "folder of the service that has the method")
	addr := flags.String("addr", "localhost:9000", "gRPC address of the service, for the command that is printed")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 || (*cert == "") == (len(rest) == 0) {
		return t.wrong("identity needs a name, or -cert and a file")
	}
	var method *contract.Method
	if *may != "" {
		if method, err = findMethod(ctx, *dir, *may); err != nil {
			return err
		}
	}
	var id spiffeid.ID
	if *cert != "" {
		id, err = t.look(*cert)
	} else {
		id, err = t.mint(ctx, rest[0], *addr, method)
	}
	if err != nil || method == nil {
		return err
	}
	return t.may(id, method)
}

// mint writes a certificate of the development authority, and the command that calls method with
// it, or that lists what there is.
func (t *tool) mint(ctx context.Context, name, addr string, method *contract.Method) (spiffeid.ID, error) {
	if !serviceName.MatchString(name) {
		return spiffeid.ID{}, fmt.Errorf("%q cannot be the name of a service", name)
	}
	source, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: name})
	if err != nil {
		return spiffeid.ID{}, err
	}
	defer source.Close() //nolint:errcheck // it returns none
	own, err := source.Identity()
	if err != nil {
		return spiffeid.ID{}, err
	}
	ca, _, _ := source.ClientFiles()
	certFile, keyFile, err := writeIdentity(filepath.Join(filepath.Dir(filepath.Dir(ca)), "identities"), name, own.Certificate)
	if err != nil {
		return spiffeid.ID{}, err
	}
	call := addr + " list"
	if method != nil {
		call = "-d '{}' " + addr + " " + method.Name
	}
	t.print("You can be %s until %s:\n\n", own.ID, own.NotAfter.Local().Format(time.Kitchen))
	t.print("    grpcurl -cacert %s -cert %s -key %s %s\n\n", ca, certFile, keyFile, call)
	t.print("Services of this user in development accept it, and no others do.\n")
	return own.ID, nil
}

// writeIdentity writes a certificate and its key into a folder that only the user can read. The
// key is written first, and each file takes the place of the old one at once.
func writeIdentity(dir, name string, cert tls.Certificate) (certFile, keyFile string, err error) {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return "", "", err
	}
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	err = errors.Join(
		replaceFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		replaceFile(certFile, chain),
	)
	return certFile, keyFile, err
}

func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name) //nolint:gosec // a name without slashes, in a folder of the user
	}
	if err != nil {
		_ = os.Remove(f.Name()) //nolint:gosec // the same
	}
	return err
}

// look says who a certificate is, by the rules of the chassis.
func (t *tool) look(file string) (spiffeid.ID, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return spiffeid.ID{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return spiffeid.ID{}, fmt.Errorf("%s does not begin with a certificate in PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("%s: %w", file, err)
	}
	id, err := x509svid.IDFromCert(cert)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("%s proves no identity: %w", file, err)
	}
	t.print("%s, valid from %s until %s", id, cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
	switch now := time.Now(); {
	case now.After(cert.NotAfter):
		t.print(": it has ended\n")
	case now.Before(cert.NotBefore):
		t.print(": it has not begun\n")
	default:
		t.print("\n")
	}
	return id, nil
}

// may says whether an identity may call a method, whose service is taken to be in the same trust
// domain.
func (t *tool) may(id spiffeid.ID, method *contract.Method) error {
	verdict := method.Explain(contract.Caller{ID: id.String()}, id.TrustDomain().Name())
	t.print("%s\n", verdict.Why)
	if !verdict.Allowed {
		return errDiffers
	}
	return nil
}

// findMethod returns a method of the service in dir, by its name or its full name.
func findMethod(ctx context.Context, dir, name string) (*contract.Method, error) {
	s, err := loadFolder(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, m := range s.methods {
		if m.Name == name || path.Base(m.Name) == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s has no method %q: paddock contract lists them", s.name, name)
}
