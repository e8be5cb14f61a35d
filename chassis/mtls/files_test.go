package mtls_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// material is the content of the three files.
type material struct{ cert, key, ca []byte }

func materialOf(t *testing.T, cert tls.Certificate, roots ...*ca) material {
	t.Helper()
	return material{certPEM(cert.Leaf), keyPEM(t, cert), certPEM(authorities(roots)...)}
}

func (m material) write(t *testing.T, dir string) {
	t.Helper()
	for name, data := range m.files() {
		ok(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

func (m material) files() map[string][]byte {
	return map[string][]byte{"tls.crt": m.cert, "tls.key": m.key, "ca.crt": m.ca}
}

func config(dir string) mtls.FilesConfig {
	return mtls.FilesConfig{
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), CAFile: filepath.Join(dir, "ca.crt"),
		PollInterval: 20 * time.Millisecond,
	}
}

func follow(t *testing.T, cfg mtls.FilesConfig) *mtls.FileSource {
	t.Helper()
	src, err := mtls.Files(t.Context(), cfg)
	ok(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func serial(t *testing.T, src mtls.Source) *big.Int {
	t.Helper()
	identity, err := src.Identity()
	ok(t, err)
	return identity.Certificate.Leaf.SerialNumber
}

func inForce(t *testing.T, src mtls.Source, cert tls.Certificate) func() bool {
	return func() bool { return serial(t, src).Cmp(cert.Leaf.SerialNumber) == 0 }
}

func TestFilesTakeEveryStyleOfReplacement(t *testing.T) {
	styles := map[string]func(t *testing.T, dir string, next material){
		"written in place": func(t *testing.T, dir string, next material) { next.write(t, dir) },
		"renamed over": func(t *testing.T, dir string, next material) {
			for name, data := range next.files() {
				path := filepath.Join(dir, name)
				ok(t, os.WriteFile(path+".new", data, 0o600))
				ok(t, os.Rename(path+".new", path))
			}
		},
		"deleted, then created": func(t *testing.T, dir string, next material) {
			for name := range next.files() {
				ok(t, os.Remove(filepath.Join(dir, name)))
			}
			next.write(t, dir)
		},
		"folder replaced": func(t *testing.T, dir string, next material) {
			ok(t, os.Mkdir(dir+".new", 0o700))
			next.write(t, dir+".new")
			ok(t, os.Rename(dir, dir+".old"))
			ok(t, os.Rename(dir+".new", dir))
		},
		"with the old time stamps": func(t *testing.T, dir string, next material) {
			for name, data := range next.files() {
				path := filepath.Join(dir, name)
				info, err := os.Stat(path)
				ok(t, err)
				ok(t, os.WriteFile(path, data, 0o600))
				ok(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
			}
		},
	}
	for name, replace := range styles {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			own, dir := newCA(t, "own"), filepath.Join(t.TempDir(), "certs")
			ok(t, os.Mkdir(dir, 0o700))
			first, second := own.issue(t), own.issue(t)
			materialOf(t, first, own).write(t, dir)
			registry := prometheus.NewRegistry()
			cfg := config(dir)
			cfg.Registerer = registry
			src := follow(t, cfg)
			if !inForce(t, src, first)() {
				t.Fatal("another certificate than the one on disk")
			}
			replace(t, dir, materialOf(t, second, own))
			eventually(t, "the new certificate in force", inForce(t, src, second))
			eventually(t, "its expiry in the metric", func() bool {
				return metric(t, registry, "chassis_certificate_not_after_timestamp_seconds") == float64(second.Leaf.NotAfter.Unix())
			})
			eventually(t, "a count", func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "ok") == 1 })
		})
	}
}

// swap does what the kubelet does with a mounted secret: a new folder, and one renamed link to it.
func swap(t *testing.T, dir string, version int, next material) {
	t.Helper()
	folder := fmt.Sprintf("..2026_%d", version)
	ok(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	next.write(t, filepath.Join(dir, folder))
	ok(t, os.Symlink(folder, filepath.Join(dir, "..data_tmp")))
	ok(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if version > 0 {
		ok(t, os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..2026_%d", version-1))))
		return
	}
	for name := range next.files() {
		ok(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
}

func TestFilesFollowKubernetesSecrets(t *testing.T) {
	// Once by events alone, once by polling alone.
	for name, poll := range map[string]time.Duration{"announced": hour, "polled": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			own, dir := newCA(t, "own"), t.TempDir()
			swap(t, dir, 0, materialOf(t, own.issue(t), own))
			cfg := config(dir)
			cfg.PollInterval = poll
			if poll == hour {
				needsEvents(t)
			}
			src := follow(t, cfg)
			for version := 1; version <= 3; version++ {
				next := own.issue(t)
				swap(t, dir, version, materialOf(t, next, own))
				eventually(t, "the new certificate in force", inForce(t, src, next))
			}
		})
	}
}

func TestFilesKeepTheLastGoodOnes(t *testing.T) {
	own, other := newCA(t, "own"), newCA(t, "other")
	good := materialOf(t, own.issue(t), own)
	half := func(b []byte) []byte { return b[:len(b)/2] }
	for _, tt := range []struct {
		name string
		next material
		want string // in the log
	}{
		{"certificate half-written", material{half(good.cert), good.key, good.ca}, "tls.crt"},
		{"key half-written", material{good.cert, half(good.key), good.ca}, "tls.key"},
		{"roots half-written", material{good.cert, good.key, half(good.ca)}, "ca.crt"},
		{"second root half-written", material{good.cert, good.key, append(certPEM(other.cert), half(good.ca)...)}, "half-written"},
		{"certificate empty", material{nil, good.key, good.ca}, "tls.crt"},
		{"key empty", material{good.cert, nil, good.ca}, "tls.key"},
		{"roots empty", material{good.cert, good.key, nil}, "ca.crt"},
		{"roots garbage", material{good.cert, good.key, []byte("<html>")}, "no PEM certificate"},
		{"roots expired", material{good.cert, good.key, certPEM(newCA(t, "expired", valid(-2*hour, -hour)).cert)}, "has expired"},
		{"key of another certificate", material{good.cert, keyPEM(t, own.issue(t)), good.ca}, "does not match"},
		{"expired", materialOf(t, own.issue(t, valid(-2*hour, -hour)), own), "expired at"},
		{"not yet valid", materialOf(t, own.issue(t, valid(hour, 2*hour)), own), "not valid before"},
		{"two identities", materialOf(t, own.issue(t, uris("spiffe://a/b", "spiffe://a/c")), own), "2 URIs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, last := own.issue(t), own.issue(t)
			materialOf(t, first, own).write(t, dir)
			var log lines
			registry := prometheus.NewRegistry()
			cfg := config(dir)
			cfg.Logger, cfg.Registerer = log.logger(), registry
			src := follow(t, cfg)

			tt.next.write(t, dir)
			eventually(t, "a refusal", func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "error") == 1 })
			if !inForce(t, src, first)() {
				t.Error("the good certificate was given up")
			}
			if text := log.String(); !strings.Contains(text, tt.want) || !strings.Contains(text, dir) {
				t.Errorf("the log does not tell %q and where:\n%s", tt.want, text)
			}
			time.Sleep(10 * cfg.PollInterval) // for as many looks at real files, which must not repeat themselves
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d error lines for one broken replacement:\n%s", n, log.String())
			}
			materialOf(t, last, own).write(t, dir)
			eventually(t, "recovery", inForce(t, src, last))
		})
	}
}

func TestFilesReportEachFailureAndTheWayBack(t *testing.T) {
	own, dir := newCA(t, "own"), t.TempDir()
	first := materialOf(t, own.issue(t), own)
	first.write(t, dir)
	var log lines
	registry := prometheus.NewRegistry()
	cfg := config(dir)
	cfg.Logger, cfg.Registerer = log.logger(), registry
	src := follow(t, cfg)
	refused := func(n float64) func() bool {
		return func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "error") == n }
	}
	for n := range 2 {
		broken := first
		broken.key = keyPEM(t, own.issue(t)) // another one each time, with the same words of refusal
		broken.write(t, dir)
		eventually(t, "a refusal of its own", refused(float64(n+1)))
	}
	first.write(t, dir)
	eventually(t, "the way back in the log", func() bool { return strings.Contains(log.String(), "found again") })
	if got := metric(t, registry, "chassis_certificate_reloads_total", "ok"); got != 0 {
		t.Errorf("%v replacements counted, there was none", got)
	}
	if identity, _ := src.Identity(); strings.Contains(log.String(), "PRIVATE") || identity == nil {
		t.Error("key material in the log")
	}
	ok(t, os.Remove(cfg.KeyFile))
	eventually(t, "a refusal of the missing key", refused(3))
	if !strings.Contains(log.String(), "no such file") {
		t.Errorf("the log does not tell that a file is missing:\n%s", log.String())
	}
}

func TestFilesRefuseABadStart(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	good := materialOf(t, own.issue(t), own)
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, cfg *mtls.FilesConfig)
		want   string
	}{
		{"no names", func(_ *testing.T, cfg *mtls.FilesConfig) { cfg.KeyFile, cfg.CAFile = "", "" }, "no file named for the private key"},
		{"missing certificate", func(t *testing.T, cfg *mtls.FilesConfig) { ok(t, os.Remove(cfg.CertFile)) }, "tls.crt: no such file"},
		{"missing roots", func(t *testing.T, cfg *mtls.FilesConfig) { ok(t, os.Remove(cfg.CAFile)) }, "ca.crt: no such file"},
		{"missing folder", func(_ *testing.T, cfg *mtls.FilesConfig) { cfg.CertFile = "/nowhere/tls.crt" }, "/nowhere/tls.crt: no such file"},
		{"a folder", func(_ *testing.T, cfg *mtls.FilesConfig) { cfg.CAFile = filepath.Dir(cfg.CAFile) }, "is a directory"},
		{"key and certificate exchanged", func(_ *testing.T, cfg *mtls.FilesConfig) {
			cfg.CertFile, cfg.KeyFile = cfg.KeyFile, cfg.CertFile
		}, "no PEM certificate"},
		{"expired", func(t *testing.T, cfg *mtls.FilesConfig) {
			ok(t, os.WriteFile(cfg.CertFile, certPEM(own.issue(t, valid(-2*hour, -hour)).Leaf), 0o600))
		}, "tls.key: expected the private key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			good.write(t, dir)
			cfg := config(dir)
			tt.change(t, &cfg)
			_, err := mtls.Files(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestFilesWithRootsThatDoNotVerifyTheOwnCertificate(t *testing.T) {
	own, clients, dir := newCA(t, "own"), newCA(t, "clients"), t.TempDir()
	materialOf(t, own.issue(t), clients).write(t, dir)
	var log lines
	cfg := config(dir)
	cfg.Logger = log.logger()
	follow(t, cfg)
	if !strings.Contains(log.String(), "do not verify the own certificate") {
		t.Errorf("no warning: %s", log.String())
	}
}

func TestFilesEndWithTheContext(t *testing.T) {
	leakcheck.Check(t)
	own, dir := newCA(t, "own"), t.TempDir()
	materialOf(t, own.issue(t), own).write(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	src, err := mtls.Files(ctx, config(dir))
	ok(t, err)
	cancel()
	ok(t, src.Close())
	ok(t, src.Close())
	if identity, err := src.Identity(); err != nil || identity == nil {
		t.Errorf("no identity after Close: %v", err)
	}
}

func TestSeveralSourcesInOneProcess(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	registry := prometheus.NewRegistry()
	start := func(r prometheus.Registerer) (*mtls.FileSource, error) {
		dir := t.TempDir()
		materialOf(t, own.issue(t), own).write(t, dir)
		cfg := config(dir)
		cfg.Registerer = r
		return mtls.Files(t.Context(), cfg)
	}
	first, err := start(registry)
	ok(t, err)
	second, err := start(prometheus.NewRegistry())
	ok(t, err)
	if serial(t, first).Cmp(serial(t, second)) == 0 {
		t.Error("two sources share a certificate")
	}
	if _, err := start(registry); err == nil {
		t.Error("two sources at one registry: the metric would tell the expiry of either")
	}
	ok(t, first.Close())
	third, err := start(registry) // the place is free again
	ok(t, err)
	ok(t, second.Close())
	ok(t, third.Close())
}

// TestRotationUnderTraffic replaces certificate and authority while a connection makes calls: none
// of them fails, and new connections see what is in force.
func TestRotationUnderTraffic(t *testing.T) {
	leakcheck.Check(t)
	before, after, dir := newCA(t, "before"), newCA(t, "after"), t.TempDir()
	materialOf(t, before.issue(t), before).write(t, dir)
	src := follow(t, config(dir))
	addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(context.Context) {})

	oldClient := fixed(t, before.issue(t), before, after)
	newClient := fixed(t, after.issue(t), before, after)
	if err := call(t, addr, clientCreds(newClient)); err == nil {
		t.Fatal("an authority that is not trusted yet was accepted")
	}
	stop := keepCalling(t, addr, clientCreds(oldClient))

	both := before.issue(t)
	materialOf(t, both, before, after).write(t, dir)
	eventually(t, "the new serial", inForce(t, src, both))
	ok(t, call(t, addr, clientCreds(newClient)))
	ok(t, call(t, addr, clientCreds(oldClient)))

	last := after.issue(t)
	materialOf(t, last, after).write(t, dir)
	eventually(t, "the last serial", inForce(t, src, last))
	ok(t, call(t, addr, clientCreds(newClient)))
	if err := call(t, addr, clientCreds(oldClient)); err == nil {
		t.Error("an authority that was taken away is still trusted")
	}
	if calls := stop(); calls == 0 {
		t.Error("no call was made meanwhile")
	}
}

func clientCreds(src mtls.Source) credentials.TransportCredentials {
	return credentials.NewTLS(clientConfig(src))
}

// clientConfig accepts any server that the roots of src verify.
func clientConfig(src mtls.Source) *tls.Config {
	return mtls.ClientTLS(src, func(spiffeid.ID) error { return nil })
}

// keepCalling makes calls on one connection until stop, which returns how many; each must succeed.
func keepCalling(t *testing.T, addr string, creds credentials.TransportCredentials) (stop func() int) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	ok(t, err)
	client := healthpb.NewHealthClient(conn)
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	ok(t, err)
	_, err = watch.Recv()
	ok(t, err)
	streamEnd := make(chan error, 1)
	go func() {
		_, err := watch.Recv()
		streamEnd <- err
	}()
	end, calls := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				calls <- n
				return
			case <-time.After(time.Millisecond):
			}
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
				t.Errorf("call %d failed: %v", n, err)
			}
		}
	}()
	return func() int {
		close(end)
		n := <-calls
		select {
		case err := <-streamEnd:
			t.Errorf("the stream that was open has ended: %v", err)
			ok(t, conn.Close())
		default:
			ok(t, conn.Close())
			<-streamEnd
		}
		return n
	}
}
