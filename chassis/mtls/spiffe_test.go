package mtls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// agent is a Workload API on a unix socket.
type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	path string

	mu      sync.Mutex
	answer  *workload.X509SVIDResponse
	refusal error         // sent in place of an answer
	changed chan struct{} // closed at every change

	server *grpc.Server
	done   chan error
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	a := idleAgent(t)
	a.run(t)
	return a
}

// idleAgent returns an agent that does not listen yet.
func idleAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{path: filepath.Join(t.TempDir(), "agent.sock"), changed: make(chan struct{})}
	t.Cleanup(func() { a.stop(t) })
	return a
}

func (a *agent) addr() string { return "unix://" + a.path }

func (a *agent) run(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", a.path)
	ok(t, err)
	a.server, a.done = grpc.NewServer(), make(chan error, 1)
	workload.RegisterSpiffeWorkloadAPIServer(a.server, a)
	go func(s *grpc.Server) { a.done <- s.Serve(listener) }(a.server)
}

func (a *agent) stop(t *testing.T) {
	t.Helper()
	if a.server == nil {
		return
	}
	server := a.server
	a.server = nil
	server.Stop()
	if err := <-a.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		t.Error(err)
	}
}

func (a *agent) set(answer *workload.X509SVIDResponse, refusal error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer, a.refusal = answer, refusal
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) state() (*workload.X509SVIDResponse, error, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answer, a.refusal, a.changed
}

func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	if md, _ := metadata.FromIncomingContext(stream.Context()); len(md.Get("workload.spiffe.io")) != 1 {
		return status.Error(codes.InvalidArgument, "security header missing")
	}
	for {
		answer, refusal, changed := a.state()
		switch {
		case refusal != nil:
			return refusal
		case answer != nil:
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err() // CANCELED, as agents do that stop
		}
	}
}

// delivery is what an agent answers: an identity, the roots of its domain, and those of federated
// domains.
func delivery(t *testing.T, id string, cert tls.Certificate, federated map[string]*ca, roots ...*ca) *workload.X509SVIDResponse {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	ok(t, err)
	var bundle []byte
	for _, root := range roots {
		bundle = append(bundle, root.cert.Raw...)
	}
	answer := &workload.X509SVIDResponse{
		Svids:            []*workload.X509SVID{{SpiffeId: id, X509Svid: cert.Certificate[0], X509SvidKey: key, Bundle: bundle}},
		FederatedBundles: map[string][]byte{},
	}
	for domain, root := range federated {
		answer.FederatedBundles["spiffe://"+domain] = root.cert.Raw
	}
	return answer
}

const wallet = "spiffe://example.org/wallet"

func attach(t *testing.T, cfg mtls.SPIFFEConfig) *mtls.SPIFFESource {
	t.Helper()
	src, err := mtls.SPIFFE(t.Context(), cfg)
	ok(t, err)
	t.Cleanup(func() { ok(t, src.Close()) })
	return src
}

func TestSPIFFERotationUnderTraffic(t *testing.T) {
	leakcheck.Check(t)
	before, after := spiffeCA(t, "example.org"), spiffeCA(t, "example.org")
	a := newAgent(t)
	a.set(delivery(t, wallet, before.issue(t, uris(wallet)), nil, before), nil)
	registry := prometheus.NewRegistry()
	src := attach(t, mtls.SPIFFEConfig{Addr: a.addr(), Registerer: registry})
	addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(ctx context.Context) { checkPeerID(t, ctx, "spiffe://example.org/bets") })
	oldClient := fixed(t, before.issue(t, uris("spiffe://example.org/bets")), before, after)
	newClient := fixed(t, after.issue(t, uris("spiffe://example.org/bets")), before, after)
	if err := call(t, addr, clientCreds(newClient)); err == nil {
		t.Fatal("a root that is not delivered yet was trusted")
	}
	stop := keepCalling(t, addr, clientCreds(oldClient))

	next := before.issue(t, uris(wallet))
	a.set(delivery(t, wallet, next, nil, before, after), nil)
	eventually(t, "the new certificate", inForce(t, src, next))
	ok(t, call(t, addr, clientCreds(newClient)))

	if calls := stop(); calls == 0 {
		t.Error("no call was made meanwhile")
	}

	last := after.issue(t, uris(wallet))
	a.set(delivery(t, wallet, last, nil, after), nil)
	eventually(t, "the last certificate", inForce(t, src, last))
	if err := call(t, addr, clientCreds(oldClient)); err == nil {
		t.Error("a root that was taken away is still trusted")
	}
	ok(t, call(t, addr, clientCreds(newClient)))
	eventually(t, "a count of both", func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "ok") == 2 })
	if got, want := metric(t, registry, "chassis_certificate_not_after_timestamp_seconds"), float64(last.Leaf.NotAfter.Unix()); got != want {
		t.Errorf("expiry %v in the metric, want %v", got, want)
	}
}

// spiffeCA returns an authority of a trust domain.
func spiffeCA(t *testing.T, domain string) *ca {
	t.Helper()
	return newCA(t, domain, uris("spiffe://"+domain))
}

func TestSPIFFESurvivesARestartOfTheAgent(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, a *agent){
		"socket gone":          func(t *testing.T, a *agent) { a.stop(t) },
		"stream canceled":      func(_ *testing.T, a *agent) { a.set(nil, status.Error(codes.Canceled, "shutting down")) },
		"registration removed": func(_ *testing.T, a *agent) { a.set(nil, status.Error(codes.PermissionDenied, "no identity issued")) },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			root := spiffeCA(t, "example.org")
			a := newAgent(t)
			first := delivery(t, wallet, root.issue(t, uris(wallet)), nil, root)
			a.set(first, nil)
			var log lines
			registry := prometheus.NewRegistry()
			src := attach(t, mtls.SPIFFEConfig{Addr: a.addr(), Logger: log.logger(), Registerer: registry})
			kept := serial(t, src)

			end(t, a)
			eventually(t, "a warning", func() bool { return strings.Contains(log.String(), "level=WARN") })
			if serial(t, src).Cmp(kept) != 0 {
				t.Error("the certificate was given up")
			}
			next := root.issue(t, uris(wallet))
			a.set(delivery(t, wallet, next, nil, root), nil)
			if a.server == nil {
				a.run(t)
			}
			eventually(t, "the certificate that the agent delivers when it is back", inForce(t, src, next))
			if n := strings.Count(log.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings for one absence:\n%s", n, log.String())
			}
			if got := metric(t, registry, "chassis_certificate_reloads_total", "error"); got != 0 {
				t.Errorf("%v replacements refused, there was none", got)
			}
		})
	}
}

func TestSPIFFERefusesABadDelivery(t *testing.T) {
	leakcheck.Check(t)
	root := spiffeCA(t, "example.org")
	good := root.issue(t, uris(wallet))
	for name, bad := range map[string]*workload.X509SVIDResponse{
		"expired":                   delivery(t, wallet, root.issue(t, uris(wallet), valid(-2*hour, -hour)), nil, root),
		"nothing in it":             {},
		"key of another":            delivery(t, wallet, tls.Certificate{Certificate: good.Certificate, PrivateKey: newKey(t)}, nil, root),
		"no roots of its own":       delivery(t, wallet, root.issue(t, uris(wallet)), map[string]*ca{"other.org": root}),
		"garbage for a certificate": delivery(t, wallet, tls.Certificate{Certificate: [][]byte{{1, 2, 3}}, PrivateKey: newKey(t)}, nil, root),
	} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t)
			a.set(delivery(t, wallet, good, nil, root), nil)
			registry := prometheus.NewRegistry()
			src := attach(t, mtls.SPIFFEConfig{Addr: a.addr(), Registerer: registry})
			a.set(bad, nil)
			eventually(t, "a refusal", func() bool { return metric(t, registry, "chassis_certificate_reloads_total", "error") == 1 })
			if !inForce(t, src, good)() {
				t.Error("the good certificate was given up")
			}
			next := root.issue(t, uris(wallet))
			a.set(delivery(t, wallet, next, nil, root), nil)
			eventually(t, "recovery", inForce(t, src, next))
		})
	}
}

// TestSPIFFETrustsEachDomainForItsOwn checks that the roots of a federated domain vouch for its
// identities alone.
func TestSPIFFETrustsEachDomainForItsOwn(t *testing.T) {
	leakcheck.Check(t)
	root, partner, stranger := spiffeCA(t, "example.org"), spiffeCA(t, "partner.org"), spiffeCA(t, "stranger.org")
	a := newAgent(t)
	a.set(delivery(t, wallet, root.issue(t, uris(wallet)), map[string]*ca{"partner.org": partner}, root), nil)
	src := attach(t, mtls.SPIFFEConfig{Addr: a.addr()})
	for _, tt := range []struct {
		name    string
		by      *ca
		id      []string
		refused string
	}{
		{"own domain", root, []string{"spiffe://example.org/bets"}, ""},
		{"own domain, no identity", root, nil, ""},
		{"federated domain", partner, []string{"spiffe://partner.org/bets"}, ""},
		{"federated domain, no identity", partner, nil, "no root of trust domain"},
		{"own identity by the federated domain's root", partner, []string{"spiffe://example.org/bets"}, "no root of trust domain"},
		{"federated identity by the own root", root, []string{"spiffe://partner.org/bets"}, "no root of trust domain"},
		{"identity of a domain that is not delivered", root, []string{"spiffe://stranger.org/bets"}, "no root of trust domain"},
		{"domain that is not delivered", stranger, []string{"spiffe://stranger.org/bets"}, "unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := clientConfig(fixed(t, tt.by.issue(t, uris(tt.id...)), root))
			serverErr, clientErr := handshake(t, mtls.ServerTLS(src, mtls.ServerOptions{}), client)
			checkRefusal(t, tt.refused, serverErr, clientErr)
		})
	}
}

func TestSPIFFERefusesABadStart(t *testing.T) {
	leakcheck.Check(t)
	refusing := newAgent(t)
	refusing.set(nil, status.Error(codes.PermissionDenied, "no identity issued"))
	silent := newAgent(t)
	for _, tt := range []struct {
		name, addr string
		want       []string
	}{
		{"no address", "", []string{"no address", "unix://"}},
		{"no such form", "agent.sock", []string{`"agent.sock"`, "unix://"}},
		{"nobody there", "unix:///nowhere/agent.sock", []string{"unix:///nowhere/agent.sock", "no identity within 300ms", "no such file"}},
		{"an agent that says no", refusing.addr(), []string{"is this workload registered", "no identity issued"}},
		{"an agent that says nothing", silent.addr(), []string{"no identity within 300ms", "no answer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mtls.SPIFFE(t.Context(), mtls.SPIFFEConfig{Addr: tt.addr, StartTimeout: 300 * time.Millisecond})
			if err == nil {
				t.Fatal("started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := mtls.SPIFFE(ctx, mtls.SPIFFEConfig{Addr: silent.addr()}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestSPIFFEWaitsForItsAgent(t *testing.T) {
	leakcheck.Check(t)
	root := spiffeCA(t, "example.org")
	a := idleAgent(t)
	a.set(delivery(t, wallet, root.issue(t, uris(wallet)), nil, root), nil)
	started := make(chan error, 1)
	go func() {
		src, err := mtls.SPIFFE(t.Context(), mtls.SPIFFEConfig{Addr: a.addr()})
		if err == nil {
			err = src.Close()
		}
		started <- err
	}()
	time.Sleep(50 * time.Millisecond) // on a real socket it then usually finds no agent first; it passes either way
	a.run(t)
	ok(t, <-started)
}
