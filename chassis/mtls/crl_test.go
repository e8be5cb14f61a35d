package mtls_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/chassis/mtls"
)

type crl func(*x509.RevocationList)

func signsLists(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }

func revoking(certs ...tls.Certificate) crl {
	return func(l *x509.RevocationList) {
		for _, c := range certs {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Minute),
			})
		}
	}
}

func outdated(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) }

func (c *ca) list(t testing.TB, changes ...crl) []byte {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, change := range changes {
		change(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, c.cert, c.key)
	ok(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// withList is the source of a server that trusts roots and follows a revocation list.
func withList(t *testing.T, log *lines, list []byte, roots ...*ca) (*mtls.FileSource, string) {
	t.Helper()
	dir := t.TempDir()
	materialOf(t, roots[0].issue(t, uris("spiffe://example.org/server")), roots...).write(t, dir)
	path := filepath.Join(dir, "crl.pem")
	ok(t, os.WriteFile(path, list, 0o600))
	cfg := config(dir)
	cfg.CRLFile, cfg.Logger = path, log.logger()
	return follow(t, cfg), path
}

func pemless(t *testing.T, data []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	return block.Bytes
}

// The server refuses what a list has revoked, leaf or authority, and nothing else.
func TestRevokedCertificatesAreRefused(t *testing.T) {
	root, other := newCA(t, "root", signsLists), newCA(t, "other", signsLists)
	twin := newCA(t, "root", signsLists) // an authority of the same name with another key, as after a renewal
	between := root.intermediate(t, "between")
	web := uris("spiffe://example.org/web")
	good, bad, far := root.issue(t, web), root.issue(t, web), root.through(t, between)
	same := other.issue(t, web, func(c *x509.Certificate) { c.SerialNumber = bad.Leaf.SerialNumber })
	of := func(certs ...tls.Certificate) []byte { return root.list(t, revoking(certs...)) }
	for name, tc := range map[string]struct {
		list    []byte
		client  tls.Certificate
		refused bool
	}{
		"a good one":                         {of(bad), good, false},
		"a revoked one":                      {of(bad), bad, true},
		"a list in DER":                      {pemless(t, of(bad)), bad, true},
		"an outdated list":                   {root.list(t, revoking(bad), outdated), bad, true},
		"the second of two lists":            {append(other.list(t), of(bad)...), bad, true},
		"the second list of an authority":    {append(of(), of(bad)...), bad, true},
		"by an intermediate that is revoked": {of(tls.Certificate{Leaf: between.cert}), far, true},
		"revoked by the intermediate":        {between.list(t, revoking(far)), far, true},
		"not revoked by the intermediate":    {between.list(t, revoking(bad)), far, false},
		"its number in the list of another":  {of(bad), same, false},
		"a twin's list, by number":           {twin.list(t, revoking(good)), good, false},
		"a list with a distribution point":   {root.list(t, revoking(bad), extension(28, true)), bad, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			src, _ := withList(t, &log, tc.list, root, other, twin)
			own, err := src.Identity()
			ok(t, err)
			fixedSource := &source{}
			fixedSource.Store(own)
			if tc.refused {
				refuses(t, fixedSource, "revoked", credentials.NewTLS(presenting(fixedSource, tc.client)))
				return
			}
			addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(context.Context) {})
			ok(t, call(t, addr, credentials.NewTLS(presenting(fixedSource, tc.client))))
		})
	}
}

func extension(number int, critical bool) crl {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{2, 5, 29, number}, Critical: critical, Value: []byte{0x30, 0x00},
		})
	}
}

// A list that cannot be used does not start, and does not replace one that can.
func TestUnusableRevocationLists(t *testing.T) {
	root := newCA(t, "root", signsLists)
	impostor := newCA(t, "root", signsLists)
	good := root.list(t)
	for name, tc := range map[string]struct {
		list []byte
		want string
	}{
		"empty":             {nil, "empty"},
		"text":              {[]byte("no list"), "cannot parse"},
		"a certificate":     {certPEM(root.cert), "no PEM block of type X509 CRL"},
		"half-written":      {append(good, good[:len(good)/2]...), "half-written"},
		"of an impostor":    {impostor.list(t), "not signed by a trusted root"},
		"a list of changes": {root.list(t, extension(27, true)), "critical extension"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			materialOf(t, root.issue(t), root).write(t, dir)
			cfg := config(dir)
			cfg.CRLFile = filepath.Join(dir, "crl.pem")
			if _, err := mtls.Files(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "crl.pem") {
				t.Errorf("no file: got %v, want an error that names it", err)
			}
			ok(t, os.WriteFile(cfg.CRLFile, tc.list, 0o600))
			if _, err := mtls.Files(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "crl.pem") {
				t.Errorf("got %v, want an error with %q that names the file", err, tc.want)
			}
			var log lines
			src, path := withList(t, &log, good, root)
			ok(t, os.WriteFile(path, tc.list, 0o600))
			eventually(t, "a report", func() bool { return strings.Contains(log.String(), "certificates not replaced") })
			_, err := src.Identity()
			ok(t, err)
		})
	}
}

// A list that is replaced ends what it revokes, on connections that are open.
func TestRevocationCountsAtOnce(t *testing.T) {
	root := newCA(t, "root", signsLists)
	bad := root.issue(t, uris("spiffe://example.org/web"))
	var log lines
	src, path := withList(t, &log, root.list(t, outdated), root)
	if !strings.Contains(log.String(), "outdated") {
		t.Errorf("no warning of an outdated list: %s", log.String())
	}
	own, err := src.Identity()
	ok(t, err)
	trusting := &source{}
	trusting.Store(own)
	c := connect(t, trusting, bad)
	ok(t, c.auth.Valid(time.Now()))
	ok(t, os.WriteFile(path, root.list(t, revoking(bad)), 0o600))
	eventually(t, "the list in force", func() bool {
		own, err := src.Identity()
		ok(t, err)
		trusting.Store(own)
		return c.auth.Valid(time.Now()) != nil
	})
	if err := c.auth.Valid(time.Now()); !strings.Contains(err.Error(), "is revoked") {
		t.Errorf("got %v, want that it is revoked", err)
	}
	ok(t, os.WriteFile(path, root.list(t), 0o600))
	eventually(t, "the revocation taken back", func() bool {
		own, err := src.Identity()
		ok(t, err)
		trusting.Store(own)
		return c.auth.Valid(time.Now()) == nil
	})
}

func FuzzParseRevocations(f *testing.F) {
	root := newCA(f, "root", signsLists)
	list := root.list(f, revoking(root.issue(f)))
	f.Add(list)
	f.Add(append(list, list...))
	f.Add([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lists, err := mtls.ParseRevocations(data)
		if err == nil && lists == 0 {
			t.Error("neither a list nor an error")
		}
	})
}

// The recipe of docs/production.md makes a list that is taken, and a renewed one that still
// revokes.
func TestRecipeForAList(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed: run make setup")
		}
		t.Skip("openssl is not installed")
	}
	text, err := os.ReadFile("../../docs/production.md")
	ok(t, err)
	_, recipe, found := strings.Cut(string(text), "With openssl, beside")
	if !found {
		t.Fatal("the recipe of docs/production.md is not found")
	}
	_, recipe, _ = strings.Cut(recipe, "```sh\n")
	recipe, _, _ = strings.Cut(recipe, "```")
	dir := t.TempDir()
	shell := func(script string) {
		t.Helper()
		command := exec.Command("sh", "-ec", script)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, script)
		}
	}
	root := newCA(t, "root", signsLists)
	web, good := root.issue(t, uris("spiffe://example.org/web"), numbered(7)), root.issue(t, uris("spiffe://example.org/good"), numbered(8))
	ok(t, os.WriteFile(filepath.Join(dir, "ca.crt"), certPEM(root.cert), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "ca.key"), keyPEM(t, tls.Certificate{PrivateKey: root.key}), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "web.crt"), certPEM(web.Leaf), 0o600))
	shell(recipe)
	renew := strings.Split(recipe, "\n")
	renew = slices.DeleteFunc(renew, func(line string) bool {
		return !strings.HasPrefix(line, "openssl") && !strings.HasPrefix(line, "mv ") || strings.Contains(line, "-revoke")
	})
	for _, step := range []string{"", strings.Join(renew, "\n")} {
		shell(step)
		list, err := os.ReadFile(filepath.Join(dir, "crl.pem"))
		ok(t, err)
		var log lines
		src, _ := withList(t, &log, list, root)
		own, err := src.Identity()
		ok(t, err)
		fixedSource := &source{}
		fixedSource.Store(own)
		refuses(t, fixedSource, "revoked", credentials.NewTLS(presenting(fixedSource, web)))
		addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(context.Context) {})
		ok(t, call(t, addr, credentials.NewTLS(presenting(fixedSource, good))))
	}
}

func numbered(serial int64) leaf {
	return func(c *x509.Certificate) { c.SerialNumber = big.NewInt(serial) }
}
