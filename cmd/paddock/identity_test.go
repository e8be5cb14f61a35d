package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	dir := withMethod(t, policy(`callers: "web"`))
	for range 2 { // the second certificate takes the place of the first
		if code, stdout, stderr := paddock(t, "identity", "web", "-may", "Get", "-dir", dir); code != 0 || !strings.Contains(stdout, "may call shop.v1.ShopService/Get") ||
			!strings.Contains(stdout, " -d '{}' localhost:9000 shop.v1.ShopService/Get\n") {
			t.Fatalf("web: got %d, %q, %q", code, stdout, stderr)
		}
	}
	if code, stdout, _ := paddock(t, "identity", "app", "-may", "shop.v1.ShopService/Get", "-dir", dir); code != 1 || !strings.Contains(stdout, "may not call") {
		t.Errorf("app: got %d, %q", code, stdout)
	}
	certFile := filepath.Join(state, "paddock", "identities", "web.pem")
	keyFile := strings.TrimSuffix(certFile, ".pem") + ".key"
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has %v, %v; want it private", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(certFile)); len(entries) != 4 {
		t.Errorf("got %d files, want two of each name", len(entries))
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(state, "paddock", "ca", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("the authority of the machine does not verify it: %v", err)
	}
	code, stdout, _ := paddock(t, "identity", "-cert", certFile)
	if code != 0 || !strings.HasPrefix(stdout, "spiffe://development.paddock.internal/web, valid from") {
		t.Errorf("looked at: got %d, %q", code, stdout)
	}
}

func TestIdentityRefuses(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := withMethod(t, "")
	for _, test := range []struct {
		why  string
		args []string
		code int
		says string
	}{
		{"no name", nil, 2, "needs a name"},
		{"a name and a file", []string{"web", "-cert", text}, 2, "needs a name"},
		{"a bad name", []string{"../web"}, 1, "cannot be the name"},
		{"no certificate", []string{"-cert", text}, 1, "certificate in PEM"},
		{"no file", []string{"-cert", text + "s"}, 1, "no such file"},
		{"no such method", []string{"web", "-may", "Nothing", "-dir", dir}, 1, "no method"},
	} {
		if code, _, stderr := paddock(t, append([]string{"identity"}, test.args...)...); code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: got %d, %q; want %d, with %q", test.why, code, stderr, test.code, test.says)
		}
	}
}
