package mtls_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// serveGRPC runs a gRPC server with src's certificates and returns its address. Every unary call
// goes through handler.
func serveGRPC(t *testing.T, src mtls.Source, opts mtls.ObserverOptions, handler func(context.Context), more ...grpc.ServerOption) string {
	t.Helper()
	creds, err := mtls.ServerCredentials(src, opts)
	ok(t, err)
	more = append(more, grpc.Creds(creds),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			handler(ctx)
			return next(ctx, req)
		}))
	server := grpc.NewServer(more...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// call makes one call on a connection of its own.
func call(t *testing.T, addr string, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	ok(t, err)
	defer conn.Close()
	_, err = healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	return err
}

// presenting returns a client's configuration that trusts src's roots and presents cert whatever
// the server asks for.
func presenting(src *source, cert tls.Certificate, changes ...func(*tls.Config)) *tls.Config {
	config := &tls.Config{
		RootCAs: src.Load().Roots, ServerName: "localhost", NextProtos: []string{"h2"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
	for _, change := range changes {
		change(config)
	}
	return config
}

func tls12(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }

func distrustful(c *tls.Config) { c.RootCAs = nil }

// refusedClients are the clients that a port must refuse, and the reason that it must give.
func refusedClients(t *testing.T, src *source, own *ca) map[string]struct {
	config *tls.Config
	reason string
} {
	t.Helper()
	foreign, good := newCA(t, "foreign"), own.issue(t)
	type client = struct {
		config *tls.Config
		reason string
	}
	return map[string]client{
		"TLS 1.2":                  {presenting(src, good, tls12), "version"},
		"foreign authority":        {presenting(src, foreign.issue(t)), "unknown_authority"},
		"expired":                  {presenting(src, own.issue(t, valid(-2*hour, -hour))), "expired"},
		"not yet valid":            {presenting(src, own.issue(t, valid(hour, 2*hour))), "expired"},
		"two identities":           {presenting(src, own.issue(t, uris("spiffe://a/b", "spiffe://a/c"))), "bad_certificate"},
		"not for clients":          {presenting(src, own.issue(t, serverOnly)), "bad_certificate"},
		"does not trust us itself": {presenting(src, good, distrustful), "rejected_by_peer"},
	}
}

func TestServerCredentialsRefuse(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	clients := refusedClients(t, src, own)
	clients["no certificate"] = struct {
		config *tls.Config
		reason string
	}{presenting(src, tls.Certificate{}), "no_certificate"}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			refuses(t, src, client.reason, credentials.NewTLS(client.config))
		})
	}
	t.Run("plain gRPC", func(t *testing.T) { refuses(t, src, "no_tls", insecure.NewCredentials()) })
}

// refuses checks that a gRPC server refuses creds, and counts and logs it.
func refuses(t *testing.T, src mtls.Source, reason string, creds credentials.TransportCredentials) {
	t.Helper()
	var log lines
	registry := prometheus.NewRegistry()
	addr := serveGRPC(t, src, mtls.ObserverOptions{Logger: log.logger(), Registerer: registry}, func(context.Context) {
		t.Error("the handler was called")
	})
	if err := call(t, addr, creds); err == nil {
		t.Fatal("the call went through")
	}
	eventually(t, "a count with reason "+reason, func() bool {
		return metric(t, registry, "chassis_tls_handshake_errors_total", reason) > 0
	})
	eventually(t, "a log line", func() bool { return strings.Contains(log.String(), "reason="+reason) })
	if !strings.Contains(log.String(), "peer=127.0.0.1:") {
		t.Errorf("the log does not name the peer: %s", log.String())
	}
}

func TestServerCredentialsEndSilentHandshake(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	registry := prometheus.NewRegistry()
	addr := serveGRPC(t, src, mtls.ObserverOptions{Registerer: registry}, func(context.Context) {},
		grpc.ConnectionTimeout(200*time.Millisecond))
	conn, err := net.Dial("tcp", addr)
	ok(t, err)
	defer conn.Close()
	_, _ = io.ReadAll(conn) // until the server has had enough
	eventually(t, "a count", func() bool { return metric(t, registry, "chassis_tls_handshake_errors_total", "timeout") == 1 })
}

func TestPortProbeIsNoRefusal(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	var log lines
	registry := prometheus.NewRegistry()
	addr := serveGRPC(t, src, mtls.ObserverOptions{Logger: log.logger(), Registerer: registry}, func(context.Context) {})
	conn, err := net.Dial("tcp", addr)
	ok(t, err)
	ok(t, conn.Close())
	// A refusal after the probe shows that the probe has been dealt with, or nearly so.
	_ = call(t, addr, insecure.NewCredentials())
	eventually(t, "the later refusal", func() bool { return strings.Contains(log.String(), "no_tls") })
	if got := metric(t, registry, "chassis_tls_handshake_errors_total", "other"); got != 0 {
		t.Errorf("the probe was counted: %v\n%s", got, log.String())
	}
}

func TestRefusalsAreLoggedAtABoundedRate(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	var log lines
	registry := prometheus.NewRegistry()
	addr := serveGRPC(t, src, mtls.ObserverOptions{Logger: log.logger(), Registerer: registry}, func(context.Context) {})
	const scans = 40
	for range scans {
		conn, err := net.Dial("tcp", addr)
		ok(t, err)
		_, err = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\n"))
		ok(t, err)
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	}
	eventually(t, "a count of all", func() bool {
		return metric(t, registry, "chassis_tls_handshake_errors_total", "no_tls") == scans
	})
	if got := strings.Count(log.String(), "reason=no_tls"); got >= scans/2 {
		t.Errorf("%d lines for %d refusals", got, scans)
	}
	// Another reason has an allowance of its own.
	_ = call(t, addr, credentials.NewTLS(presenting(src, newCA(t, "foreign").issue(t))))
	eventually(t, "the line with another reason", func() bool { return strings.Contains(log.String(), "reason=unknown_authority") })
	if !strings.Contains(log.String(), "issuer=CN=foreign") && !strings.Contains(log.String(), `issuer="CN=foreign"`) {
		t.Errorf("the log does not name the issuer:\n%s", log.String())
	}
}

func TestPeerIDInCalls(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"an identity", own.issue(t, uris("spiffe://example.org/bets")), "spiffe://example.org/bets"},
		{"no identity", own.issue(t), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(ctx context.Context) {
				checkPeerID(t, ctx, tt.want)
				p, _ := peer.FromContext(ctx)
				if err := credentials.CheckSecurityLevel(p.AuthInfo, credentials.PrivacyAndIntegrity); err != nil {
					t.Error(err)
				}
			})
			ok(t, call(t, addr, credentials.NewTLS(presenting(src, tt.cert))))
		})
	}
}

func checkPeerID(t *testing.T, ctx context.Context, want string) {
	t.Helper()
	id, proved := mtls.PeerID(ctx)
	if id.String() != want || proved != (want != "") {
		t.Errorf("peer is %q, %v; want %q", id, proved, want)
	}
}

func TestIdentityDoesNotAllocate(t *testing.T) {
	own := newCA(t, "own")
	cert := own.issue(t, uris("spiffe://example.org/bets"))
	var info credentials.AuthInfo = mtls.AuthInfoFromState(tls.ConnectionState{PeerCertificates: authorities([]*ca{{cert: cert.Leaf}})})
	identity := ""
	if n := testing.AllocsPerRun(100, func() { identity = info.(interface{ Identity() string }).Identity() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if identity != "spiffe://example.org/bets" {
		t.Errorf("identity %q", identity)
	}
}

// fakeInfo is the AuthInfo of a test kit.
type fakeInfo struct{ identity string }

func (fakeInfo) AuthType() string   { return "fake" }
func (f fakeInfo) Identity() string { return f.identity }

func TestPeerIDWithoutTLS(t *testing.T) {
	checkPeerID(t, t.Context(), "")
	checkPeerID(t, peer.NewContext(t.Context(), &peer.Peer{}), "")
	checkPeerID(t, peer.NewContext(t.Context(), &peer.Peer{AuthInfo: fakeInfo{"spiffe://example.org/fake"}}), "spiffe://example.org/fake")
	checkPeerID(t, peer.NewContext(t.Context(), &peer.Peer{AuthInfo: fakeInfo{"bets"}}), "")
}

// serveHTTPS runs an HTTPS server behind Listener and returns its address. It answers with the
// caller's identity.
func serveHTTPS(t *testing.T, src mtls.Source, opts mtls.ListenerOptions) string {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	listener, err := mtls.Listener(inner, src, opts)
	ok(t, err)
	server := &http.Server{
		ConnContext: mtls.ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := mtls.PeerID(r.Context())
			_, _ = io.WriteString(w, r.Proto+" "+id.String())
		}),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return inner.Addr().String()
}

func get(t *testing.T, addr string, config *tls.Config, http2 bool) (string, error) {
	t.Helper()
	config.NextProtos = nil
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr, nil)
	ok(t, err)
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func TestListenerServes(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	addr := serveHTTPS(t, src, mtls.ListenerOptions{})
	client := own.issue(t, uris("spiffe://example.org/bets"))
	for _, tt := range []struct {
		name  string
		cert  tls.Certificate
		http2 bool
		want  string
	}{
		{"HTTP/1.1 with an identity", client, false, "HTTP/1.1 spiffe://example.org/bets"},
		{"HTTP/2 with an identity", client, true, "HTTP/2.0 spiffe://example.org/bets"},
		{"HTTP/1.1 without a certificate", tls.Certificate{}, false, "HTTP/1.1 "},
		{"HTTP/2 without a certificate", tls.Certificate{}, true, "HTTP/2.0 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := get(t, addr, presenting(src, tt.cert), tt.http2)
			if err != nil || got != tt.want {
				t.Errorf("answer %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestListenerRefuses(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	registry := prometheus.NewRegistry()
	addr := serveHTTPS(t, src, mtls.ListenerOptions{Registerer: registry})
	required := serveHTTPS(t, src, mtls.ListenerOptions{Registerer: registry, CertificateRequired: true})
	refusal := func(addr string, config *tls.Config, reason string) {
		t.Helper()
		before := metric(t, registry, "chassis_tls_handshake_errors_total", reason)
		if answer, err := get(t, addr, config, false); err == nil {
			t.Fatalf("answered %q", answer)
		}
		eventually(t, "a count with reason "+reason, func() bool {
			return metric(t, registry, "chassis_tls_handshake_errors_total", reason) > before
		})
	}
	for name, client := range refusedClients(t, src, own) {
		t.Run(name, func(t *testing.T) { refusal(addr, client.config, client.reason) })
	}
	t.Run("no certificate where one is required", func(t *testing.T) {
		refusal(required, presenting(src, tls.Certificate{}), "no_certificate")
	})
	t.Run("plain HTTP is told so", func(t *testing.T) {
		conn, err := net.Dial("tcp", addr)
		ok(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /\n")
		ok(t, err)
		answer, _ := io.ReadAll(conn)
		if !strings.Contains(string(answer), "HTTPS server") {
			t.Errorf("answer %q", answer)
		}
	})
}

func TestListenerIsNotHeldUpBySilentClients(t *testing.T) {
	leakcheck.Check(t)
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	registry := prometheus.NewRegistry()
	patient := serveHTTPS(t, src, mtls.ListenerOptions{HandshakeTimeout: hour})
	hasty := serveHTTPS(t, src, mtls.ListenerOptions{HandshakeTimeout: time.Millisecond, Registerer: registry})
	for _, addr := range []string{patient, patient, hasty} {
		silent, err := net.Dial("tcp", addr)
		ok(t, err)
		defer silent.Close()
	}
	_, err := get(t, patient, presenting(src, tls.Certificate{}), false)
	ok(t, err)
	eventually(t, "the end of the hasty server's patience", func() bool {
		return metric(t, registry, "chassis_tls_handshake_errors_total", "timeout") == 1
	})
	// The clean-up closes the patient server: the check for leaks sees that its handshakes end.
}

// The caller of a connection that is cut learns of it at once, and can come again.
func TestAuthInfoCut(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	var cut atomic.Bool
	cut.Store(true)
	addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(ctx context.Context) {
		p, _ := peer.FromContext(ctx)
		if cut.Load() {
			p.AuthInfo.(*mtls.AuthInfo).Cut()
		}
	})
	creds := credentials.NewTLS(presenting(src, own.issue(t)))
	if err := call(t, addr, creds); status.Code(err) != codes.Unavailable {
		t.Errorf("the caller of a connection that is cut: %v, want UNAVAILABLE", err)
	}
	cut.Store(false)
	ok(t, call(t, addr, creds))
	mtls.AuthInfoFromState(tls.ConnectionState{}).Cut() // of no server: nothing happens
}
