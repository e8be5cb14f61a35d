package mtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func develop(t *testing.T, cfg mtls.DevelopmentConfig) *mtls.DevelopmentSource {
	t.Helper()
	src, err := mtls.Development(t.Context(), cfg)
	ok(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func developedID(name string) spiffeid.ID {
	return spiffeid.RequireFromSegments(spiffeid.RequireTrustDomainFromString(mtls.DevelopmentTrustDomain), name)
}

func TestDevelopmentServicesTrustEachOther(t *testing.T) {
	leakcheck.Check(t)
	dir := filepath.Join(t.TempDir(), "state", "ca")
	hello, wallet := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir}), develop(t, mtls.DevelopmentConfig{Service: "wallet", Dir: dir})
	stranger := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: t.TempDir()})

	server := mtls.ServerTLS(wallet, mtls.ServerOptions{})
	toWallet := mtls.ClientTLS(hello, spiffeid.MatchID(developedID("wallet")))
	serverErr, clientErr := handshake(t, server, toWallet)
	ok(t, errors.Join(serverErr, clientErr))

	serverErr, clientErr = handshake(t, server, mtls.ClientTLS(hello, spiffeid.MatchID(developedID("bets"))))
	checkRefusal(t, "unexpected ID", clientErr, serverErr)
	serverErr, clientErr = handshake(t, mtls.ServerTLS(stranger, mtls.ServerOptions{}), toWallet)
	checkRefusal(t, "unknown authority", clientErr, serverErr)
}

func TestDevelopmentCertificate(t *testing.T) {
	src := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: t.TempDir()})
	identity, err := src.Identity()
	ok(t, err)
	if want := "spiffe://development.paddock.internal/hello"; identity.ID.String() != want {
		t.Errorf("identity %s, want %s", identity.ID, want)
	}
	for _, host := range []string{"localhost", "hello", "127.0.0.1", "::1"} {
		chains, err := identity.Certificate.Leaf.Verify(x509.VerifyOptions{Roots: identity.Roots, DNSName: host})
		if err != nil || len(chains) == 0 {
			t.Errorf("not good for %s: %v", host, err)
		}
	}
	if left := time.Until(identity.NotAfter); left > time.Hour {
		t.Errorf("valid for %v more, want an hour at most", left)
	}
}

func TestDevelopmentClientFiles(t *testing.T) {
	src := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: t.TempDir()})
	ca, cert, key := src.ClientFiles()
	pair, err := tls.LoadX509KeyPair(cert, key)
	ok(t, err)
	roots := x509.NewCertPool()
	bundle, err := os.ReadFile(ca)
	ok(t, err)
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatal("no roots in the file")
	}
	// As grpcurl -cacert -cert -key does.
	tool := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: "localhost"}
	serverErr, clientErr := handshake(t, mtls.ServerTLS(src, mtls.ServerOptions{}), tool)
	ok(t, errors.Join(serverErr, clientErr))
	if got := pair.Leaf.URIs[0].String(); got != developedID("developer").String() {
		t.Errorf("identity %s", got)
	}
}

func TestDevelopmentFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "paddock", "ca")
	develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir})
	for name, want := range map[string]fs.FileMode{"": 0o700, "ca.key": 0o600, "client.key": 0o600, "ca.pem": 0o644, "client.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		ok(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %04o, want %04o", name, got, want)
		}
	}
	for _, name := range []string{"ca.pem", "client.pem"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		ok(t, err)
		if block, _ := pem.Decode(data); block == nil || block.Type != "CERTIFICATE" || strings.Contains(string(data), "PRIVATE") {
			t.Errorf("%s holds something else than certificates", name)
		}
	}
}

func TestDevelopmentDefaultFolder(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for state, want := range map[string]string{
		"":                           filepath.Join(home, ".local", "state", "paddock", "ca", "ca.pem"),
		"relative":                   filepath.Join(home, ".local", "state", "paddock", "ca", "ca.pem"),
		filepath.Join(home, "state"): filepath.Join(home, "state", "paddock", "ca", "ca.pem"),
	} {
		t.Setenv("XDG_STATE_HOME", state)
		if got, _, _ := develop(t, mtls.DevelopmentConfig{Service: "hello"}).ClientFiles(); got != want {
			t.Errorf("with XDG_STATE_HOME=%q roots are at %s, want %s", state, got, want)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	if _, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: "hello"}); err == nil || !strings.Contains(err.Error(), "set HOME") {
		t.Errorf("error %v, want what to set in it", err)
	}
}

func TestDevelopmentRefusesABadStart(t *testing.T) {
	leakcheck.Check(t)
	for _, tt := range []struct {
		name, service string
		spoil         func(t *testing.T, dir string)
		want          string
	}{
		{"no service", "", func(*testing.T, string) {}, "needs the name of the service"},
		{"service that is no name", "a/b c", func(*testing.T, string) {}, "cannot be part of an identity"},
		{"damaged authority", "hello", func(t *testing.T, dir string) {
			ok(t, os.Truncate(filepath.Join(dir, "ca.key"), 100))
		}, "is damaged, delete"},
		{"authority that others could write", "hello", func(t *testing.T, dir string) {
			ok(t, os.Chmod(filepath.Join(dir, "ca.key"), 0o666))
		}, "others could have changed"},
		{"folder that others could write", "hello", func(t *testing.T, dir string) {
			ok(t, os.Chmod(dir, 0o777))
		}, "others could have changed"},
		{"file in the folder's place", "hello", func(t *testing.T, dir string) {
			ok(t, os.RemoveAll(dir))
			ok(t, os.WriteFile(dir, nil, 0o600))
		}, "cannot make the folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ca")
			ok(t, develop(t, mtls.DevelopmentConfig{Service: "earlier", Dir: dir}).Close())
			tt.spoil(t, dir)
			_, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: tt.service, Dir: dir})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestDevelopmentTightensPermissions(t *testing.T) {
	dir := t.TempDir()
	ok(t, develop(t, mtls.DevelopmentConfig{Service: "earlier", Dir: dir}).Close())
	ok(t, os.Chmod(dir, 0o755))
	ok(t, os.Chmod(filepath.Join(dir, "ca.key"), 0o644))
	var log lines
	develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir, Logger: log.logger()})
	for name, want := range map[string]fs.FileMode{"": 0o700, "ca.key": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		ok(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %04o, want %04o", name, got, want)
		}
	}
	if n := strings.Count(log.String(), "permissions tightened"); n != 2 {
		t.Errorf("%d warnings, want 2:\n%s", n, log.String())
	}
}

// childDir names the folder in which a child process of TestDevelopmentAuthorityIsMadeOnce starts a
// service.
const childDir = "MTLS_TEST_CHILD_DIR"

// TestDevelopmentAuthorityIsMadeOnce starts processes at the same moment in an empty folder: all
// must come to trust the one authority.
func TestDevelopmentAuthorityIsMadeOnce(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		identity, err := develop(t, mtls.DevelopmentConfig{Service: "child", Dir: dir}).Identity()
		ok(t, err)
		_, err = os.Stdout.Write(certPEM(identity.Authorities...))
		ok(t, err)
		return
	}
	dir := filepath.Join(t.TempDir(), "ca")
	sameRoots(t, 4, func() (string, error) {
		child := exec.Command(os.Args[0], "-test.run=^TestDevelopmentAuthorityIsMadeOnce$")
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.Output()
		roots, _, _ := strings.Cut(string(out), "-----END")
		return roots, err
	})
}

// TestDevelopmentAuthorityIsMadeOnceInAProcess does the same with services of one process, which
// start closer together. They lock each other out by the same means as processes do.
func TestDevelopmentAuthorityIsMadeOnceInAProcess(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "ca")
		sameRoots(t, 8, func() (string, error) {
			src, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: "hello", Dir: dir})
			if err != nil {
				return "", err
			}
			identity, _ := src.Identity()
			return string(certPEM(identity.Authorities...)), src.Close()
		})
	}
}

// sameRoots runs start n times at the same moment, and checks that all return the same.
func sameRoots(t *testing.T, n int, start func() (string, error)) {
	t.Helper()
	roots, begin := make(chan string, n), make(chan struct{})
	for range n {
		go func() {
			<-begin
			found, err := start()
			if err != nil || found == "" {
				t.Errorf("no roots: %v", err)
			}
			roots <- found
		}()
	}
	close(begin)
	first := <-roots
	for range n - 1 {
		if other := <-roots; other != first {
			t.Errorf("two authorities were made:\n%s\n%s", first, other)
		}
	}
}

// TestDevelopmentRenews lets hours pass on a false clock.
func TestDevelopmentRenews(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		src := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir, Registerer: registry})
		first := serial(t, src)
		_, clientCert, _ := src.ClientFiles()
		firstClient, err := os.ReadFile(clientCert)
		ok(t, err)
		time.Sleep(30 * time.Minute)
		if serial(t, src).Cmp(first) != 0 {
			t.Error("renewed after half an hour, want two thirds of an hour")
		}
		time.Sleep(12 * time.Minute)
		if serial(t, src).Cmp(first) == 0 {
			t.Error("not renewed after 42 minutes")
		}
		if client, err := os.ReadFile(clientCert); err != nil || string(client) == string(firstClient) {
			t.Errorf("the client certificate was not renewed: %v", err)
		}
		for range 12 {
			time.Sleep(30 * time.Minute)
			identity, err := src.Identity()
			ok(t, err)
			if left := time.Until(identity.NotAfter); left < 15*time.Minute {
				t.Fatalf("%v left of the certificate's life", left)
			}
		}
		if got := metric(t, registry, "chassis_certificate_reloads_total", "error"); got != 0 {
			t.Errorf("%v renewals failed", got)
		}
	})
}

func TestDevelopmentReplacesAnAuthorityNearItsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir})
		before, _ := first.Identity()
		ok(t, first.Close())
		time.Sleep(10*365*24*time.Hour - 20*24*time.Hour)
		var log lines
		after, err := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir, Logger: log.logger()}).Identity()
		ok(t, err)
		if after.Roots.Equal(before.Roots) {
			t.Error("the authority has 20 days left and was kept")
		}
		if !strings.Contains(log.String(), "made anew") {
			t.Errorf("nothing said: %s", log.String())
		}
	})
}

// TestDevelopmentFollowsANewAuthority deletes the folder under two running services, as people do.
func TestDevelopmentFollowsANewAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		hello, wallet := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir}), develop(t, mtls.DevelopmentConfig{Service: "wallet", Dir: dir})
		before, _ := hello.Identity()
		ok(t, os.RemoveAll(dir))
		time.Sleep(time.Minute)
		one, _ := hello.Identity()
		other, _ := wallet.Identity()
		if one.Roots.Equal(before.Roots) || !one.Roots.Equal(other.Roots) {
			t.Error("the services do not trust the same new authority")
		}
		if _, cert, key := hello.ClientFiles(); func() error { _, err := tls.LoadX509KeyPair(cert, key); return err }() != nil {
			t.Error("no client certificate again")
		}
	})
}

func TestDevelopmentReportsRenewalsThatFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		var log lines
		registry := prometheus.NewRegistry()
		src := develop(t, mtls.DevelopmentConfig{Service: "hello", Dir: dir, Logger: log.logger(), Registerer: registry})
		first := serial(t, src)
		damaged := filepath.Join(dir, "ca.key")
		ok(t, os.Truncate(damaged, 100))
		time.Sleep(5 * time.Minute)
		if got := metric(t, registry, "chassis_certificate_reloads_total", "error"); got != 1 {
			t.Errorf("%v errors counted for one damage", got)
		}
		if serial(t, src).Cmp(first) != 0 || !strings.Contains(log.String(), "delete "+damaged) {
			t.Errorf("the good certificate was given up, or nothing was said: %s", log.String())
		}
		ok(t, os.Remove(damaged))
		time.Sleep(time.Minute)
		if serial(t, src).Cmp(first) == 0 {
			t.Error("not recovered")
		}
	})
}

// A service starts within 150 ms in all; this is to be no part of it worth speaking of.
func BenchmarkDevelopmentStart(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		src, err := mtls.Development(b.Context(), mtls.DevelopmentConfig{Service: "hello", Dir: dir})
		ok(b, err)
		ok(b, src.Close())
	}
}
