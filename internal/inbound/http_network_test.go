package inbound_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/betmakers/paddock/internal/inbound"
)

// protocol is a way for a request to come.
type protocol struct {
	name       string
	tls, http2 bool
}

var protocols = []protocol{{"HTTP/1.1", false, false}, {"HTTP/1.1 and TLS", true, false}, {"HTTP/2", true, true}}

// closing is how long a connection that takes nothing may be waited for when it is closed:
// crypto/tls wants to say goodbye.
func (p protocol) closing() time.Duration {
	if p.tls {
		return 6 * time.Second
	}
	return time.Second
}

// keepsAlive reports whether a second request comes by the same connection: the timeouts of bufconn
// do not say that they pass, so that crypto/tls gives the connection up when net/http stops to wait
// for the caller's end of HTTP/1.
func (p protocol) keepsAlive() bool { return p.http2 || !p.tls }

// certificate is one that clients of the tests take without asking.
func certificate() tls.Certificate {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return server.TLS.Certificates[0]
}

// eachProtocol runs a test by every protocol in virtual time, in which no machine is slow.
func eachProtocol(t *testing.T, test func(t *testing.T, p protocol)) {
	t.Helper()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, p) })
		})
	}
}

// memoryServer is an HTTP server on a network in memory, which keeps 64 KiB on its way.
type memoryServer struct {
	*http.Client
	*fixture
	protocol protocol
	listener *bufconn.Listener
}

// serveBy runs a handler behind the chain.
func serveBy(t *testing.T, p protocol, handler http.Handler, limits inbound.HTTPLimits, changes ...func(*http.Server)) *memoryServer {
	t.Helper()
	f := newChain(t, testHandlers{})
	return f.serveBy(t, p, handler, limits, changes...)
}

func (f *fixture) serveBy(t *testing.T, p protocol, handler http.Handler, limits inbound.HTTPLimits, changes ...func(*http.Server)) *memoryServer {
	t.Helper()
	m := &memoryServer{fixture: f, protocol: p, listener: bufconn.Listen(64 << 10)}
	server := &http.Server{
		Handler: f.HTTP(handler, limits), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCertificate}},
		Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(!p.http2)
	server.Protocols.SetHTTP2(p.http2)
	for _, change := range changes {
		change(server)
	}
	served := make(chan error, 1)
	go func() {
		if p.tls {
			served <- server.ServeTLS(m.listener, "", "")
		} else {
			served <- server.Serve(m.listener)
		}
	}()
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return m.listener.DialContext(ctx) },
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // in memory
		ForceAttemptHTTP2: p.http2, DisableCompression: true, ExpectContinueTimeout: time.Hour,
	}
	m.Client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return m
}

var testCertificate = certificate()

func (m *memoryServer) url(path string) string {
	if m.protocol.tls {
		return "https://server" + path
	}
	return "http://server" + path
}

// get sends a request and returns its answer, whose body is closed with the test.
func (m *memoryServer) get(t *testing.T, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.do(t, r)
}

func (m *memoryServer) do(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	response, err := m.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.ProtoMajor == 2 != m.protocol.http2 {
		t.Fatalf("answered by %s", response.Proto)
	}
	return response
}
