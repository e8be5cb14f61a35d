package mtls_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/chassis/mtls"
)

// Who a service is does not change while it runs: not by files of another service, another trust
// domain, a development authority, or nobody at all.
func TestReplacementByAnotherIsRefused(t *testing.T) {
	own := newCA(t, "production")
	for name, other := range map[string]leaf{
		"another service":         uris("spiffe://prod.example/bets"),
		"another trust domain":    uris("spiffe://test.example/wallet"),
		"a development authority": uris("spiffe://" + mtls.DevelopmentTrustDomain + "/wallet"),
		"without an identity":     func(*x509.Certificate) {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			id := uris("spiffe://prod.example/wallet")
			first, next := own.issue(t, id), own.issue(t, id)
			materialOf(t, first, own).write(t, dir)
			var log lines
			registry := prometheus.NewRegistry()
			cfg := config(dir)
			cfg.Logger, cfg.Registerer = log.logger(), registry
			src := follow(t, cfg)
			materialOf(t, own.issue(t, other), own).write(t, dir)
			eventually(t, "a report", func() bool {
				return strings.Contains(log.String(), "certificates not replaced") && strings.Contains(log.String(), "spiffe://prod.example/wallet")
			})
			eventually(t, "a count", func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "error") == 1 })
			if !inForce(t, src, first)() {
				t.Error("the certificate of another is in force")
			}
			materialOf(t, next, own).write(t, dir)
			eventually(t, "the next good certificate", inForce(t, src, next))
			if got := metric(t, registry, "chassis_certificate_reloads_total", "error"); got != 1 {
				t.Errorf("%v errors counted, want 1: a refusal is reported once", got)
			}
		})
	}
}

// Of several SVIDs the service keeps the one that it has started as, wherever in the list it comes.
func TestSPIFFEKeepsItsIdentity(t *testing.T) {
	root := spiffeCA(t, "example.org")
	a := newAgent(t)
	first := root.issue(t, uris(wallet))
	a.set(delivery(t, wallet, first, nil, root), nil)
	var log lines
	src := attach(t, mtls.SPIFFEConfig{Addr: a.addr(), Logger: log.logger()})
	next, other := root.issue(t, uris(wallet)), root.issue(t, uris("spiffe://example.org/admin"))
	both := delivery(t, "spiffe://example.org/admin", other, nil, root)
	both.Svids = append(both.Svids, delivery(t, wallet, next, nil, root).GetSvids()...)
	a.set(both, nil)
	eventually(t, "the next certificate of the same identity", inForce(t, src, next))
	a.set(delivery(t, "spiffe://example.org/admin", other, nil, root), nil)
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "certificates not replaced") })
	if !inForce(t, src, next)() {
		t.Error("the certificate of another is in force")
	}
}

// Files that other users may write, and a key that they may read, are reported and used.
func TestFilesOpenToOthers(t *testing.T) {
	own := newCA(t, "own")
	const warning = "open to other users"
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string // empty for no warning
	}{
		"as they should be":                {func(*testing.T, string) {}, ""},
		"a key that the group may read":    {mode("tls.key", 0o640), ""},
		"a certificate that all may read":  {mode("tls.crt", 0o644), ""},
		"a key that all may read":          {mode("tls.key", 0o644), "tls.key (0644)"},
		"a key that all may write":         {mode("tls.key", 0o666), "tls.key (0666)"},
		"a certificate that all may write": {mode("tls.crt", 0o646), "tls.crt (0646)"},
		"roots that all may write":         {mode("ca.crt", 0o666), "ca.crt (0666)"},
		"a folder that all may write":      {mode(".", 0o777), "(0777)"},
		"such a folder with a sticky bit":  {mode(".", 0o777|os.ModeSticky), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			materialOf(t, own.issue(t), own).write(t, dir)
			tc.change(t, dir)
			var log lines
			cfg := config(dir)
			cfg.Logger = log.logger()
			follow(t, cfg)
			if got := strings.Contains(log.String(), warning); got != (tc.want != "") || !strings.Contains(log.String(), tc.want) {
				t.Errorf("the log says %q, want %q", log.String(), tc.want)
			}
		})
	}
	t.Run("a secret of Kubernetes", func(t *testing.T) {
		dir := t.TempDir()
		ok(t, os.Chmod(dir, 0o777))
		swap(t, dir, 0, materialOf(t, own.issue(t), own))
		ok(t, os.Chmod(filepath.Join(dir, "tls.key"), 0o644)) // of the link's target, as the kubelet has it
		var log lines
		cfg := config(dir)
		cfg.Logger = log.logger()
		follow(t, cfg)
		if strings.Contains(log.String(), warning) {
			t.Errorf("a warning: %s", log.String())
		}
	})
	t.Run("after a replacement", func(t *testing.T) {
		dir := t.TempDir()
		materialOf(t, own.issue(t), own).write(t, dir)
		var log lines
		cfg := config(dir)
		cfg.Logger = log.logger()
		src := follow(t, cfg)
		ok(t, os.Chmod(filepath.Join(dir, "tls.key"), 0o666))
		next := own.issue(t)
		materialOf(t, next, own).write(t, dir)
		eventually(t, "the replacement and a warning", func() bool { return inForce(t, src, next)() && strings.Contains(log.String(), warning) })
	})
}

func mode(name string, to os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		ok(t, os.Chmod(filepath.Join(dir, name), to))
	}
}

// The folder of another user, and links in a folder, are not touched and not trusted.
func TestDevelopmentFolderOfAnother(t *testing.T) {
	const elsewhereText = "of somebody else"
	made := func(t *testing.T) (dir, elsewhere string) {
		t.Helper()
		dir, elsewhere = filepath.Join(t.TempDir(), "ca"), filepath.Join(t.TempDir(), "file")
		src, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: "attacker", Dir: dir})
		ok(t, err)
		ok(t, src.Close())
		ok(t, os.WriteFile(elsewhere, []byte(elsewhereText), 0o644)) //nolint:gosec // that it stays so is the point
		return dir, elsewhere
	}
	refused := func(t *testing.T, dir, want string) {
		t.Helper()
		src, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: "hello", Dir: dir})
		if err == nil {
			ok(t, src.Close())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	for _, name := range []string{"ca.key", "ca.pem", "client.pem", "client.key", "lock"} {
		t.Run("a link: "+name, func(t *testing.T) {
			dir, elsewhere := made(t)
			ok(t, os.Remove(filepath.Join(dir, name)))
			ok(t, os.Symlink(elsewhere, filepath.Join(dir, name)))
			refused(t, dir, name)
			info, err := os.Stat(elsewhere)
			ok(t, err)
			text, err := os.ReadFile(elsewhere)
			ok(t, err)
			if info.Mode().Perm() != 0o644 || string(text) != elsewhereText {
				t.Errorf("what it leads to has mode %s and is %q", info.Mode(), text)
			}
		})
		t.Run("a link that leads nowhere: "+name, func(t *testing.T) {
			dir, elsewhere := made(t)
			ok(t, os.Remove(filepath.Join(dir, name)))
			ok(t, os.Symlink(elsewhere+".new", filepath.Join(dir, name)))
			refused(t, dir, name)
			if _, err := os.Lstat(elsewhere + ".new"); err == nil {
				t.Error("a file was made where it leads")
			}
		})
	}
	t.Run("the folder is a link", func(t *testing.T) {
		dir, _ := made(t)
		ok(t, os.Symlink(dir, dir+".link"))
		refused(t, dir+".link", "folder")
	})
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for name, give := range map[string]string{"the folder": ".", "the authority": "ca.key", "the client's key": "client.key"} {
		t.Run(name+" of another user", func(t *testing.T) {
			dir, _ := made(t)
			before, err := os.ReadFile(filepath.Join(dir, "ca.key"))
			ok(t, err)
			ok(t, os.Lchown(filepath.Join(dir, give), 1234, 1234))
			refused(t, dir, "belongs to user 1234")
			after, err := os.ReadFile(filepath.Join(dir, "ca.key"))
			ok(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the authority was changed")
			}
		})
	}
	t.Run("nothing is made in the folder of another user", func(t *testing.T) {
		home := t.TempDir()
		ok(t, os.Lchown(home, 1234, 1234))
		refused(t, filepath.Join(home, ".local", "state", "paddock", "ca"), "belongs to user 1234")
		entries, err := os.ReadDir(home)
		ok(t, err)
		if len(entries) > 0 {
			t.Errorf("it has %v", entries)
		}
	})
}
