package mtls_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/betmakers/paddock/chassis/mtls"
)

// handshake connects client to a server with the given configurations over loopback, exchanges one
// byte each way so that both sides know the other's verdict, and returns the errors of both.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer inner.Close()
	result := make(chan error, 1)
	go func() {
		conn, err := inner.Accept()
		if err != nil {
			result <- err
			return
		}
		defer conn.Close()
		secured := tls.Server(conn, server)
		if err := secured.HandshakeContext(t.Context()); err != nil {
			result <- err
			return
		}
		_, err = secured.Write([]byte{1})
		_, _ = io.ReadAll(secured)
		result <- err
	}()
	conn, err := tls.Dial("tcp", inner.Addr().String(), client)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
		_ = conn.Close()
	}
	return <-result, err
}

func TestServerTLSVerifiesClients(t *testing.T) {
	own, foreign := newCA(t, "own"), newCA(t, "foreign")
	src := fixed(t, own.issue(t, uris("spiffe://example.org/server")), own)
	good := own.issue(t, uris("spiffe://example.org/client"))
	for _, tt := range []struct {
		name     string
		cert     tls.Certificate
		optional bool
		refused  string // part of the server's error
	}{
		{"an identity", good, false, ""},
		{"no identity", own.issue(t), false, ""},
		{"no certificate", tls.Certificate{}, false, "didn't provide a certificate"},
		{"no certificate where it is optional", tls.Certificate{}, true, ""},
		{"foreign authority", foreign.issue(t), false, "unknown authority"},
		{"foreign authority where a certificate is optional", foreign.issue(t), true, "unknown authority"},
		{"two identities", own.issue(t, uris("spiffe://example.org/a", "spiffe://example.org/b")), false, "2 URIs"},
		{"URI that is no SPIFFE ID", own.issue(t, uris("https://example.org/a")), false, "not a SPIFFE ID"},
		{"malformed SPIFFE ID", own.issue(t, uris("spiffe://example.org/a//b")), false, "not a SPIFFE ID"},
		{"not for clients", own.issue(t, serverOnly), false, "incompatible key usage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := &tls.Config{RootCAs: src.Load().Roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &tt.cert, nil // also if the server does not name its issuer
			}}
			serverErr, clientErr := handshake(t, mtls.ServerTLS(src, mtls.ServerOptions{CertificateOptional: tt.optional}), client)
			checkRefusal(t, tt.refused, serverErr, clientErr)
		})
	}
}

// checkRefusal checks the deciding side's error, and that the other side was told.
func checkRefusal(t *testing.T, want string, deciding, told error) {
	t.Helper()
	switch {
	case want == "" && (deciding != nil || told != nil):
		t.Errorf("refused: %v; the other side: %v", deciding, told)
	case want != "" && deciding == nil:
		t.Errorf("accepted, want it refused with %q", want)
	case want != "" && !strings.Contains(deciding.Error(), want):
		t.Errorf("refused with %q, want %q in it", deciding, want)
	case want != "" && told == nil:
		t.Error("the other side noticed nothing")
	}
}

func TestServerTLSResumesNoSession(t *testing.T) {
	own := newCA(t, "own")
	src := fixed(t, own.issue(t), own)
	client := mtls.ClientTLS(src, func(spiffeid.ID) error { return nil })
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.ServerName = "localhost" // the key of the cache, since the port changes
	server := mtls.ServerTLS(src, mtls.ServerOptions{})
	resumed := false
	verify := client.VerifyConnection
	client.VerifyConnection = func(state tls.ConnectionState) error {
		resumed = resumed || state.DidResume
		return verify(state)
	}
	for range 2 {
		serverErr, clientErr := handshake(t, server, client)
		ok(t, errors.Join(serverErr, clientErr))
	}
	if resumed {
		t.Error("a session was resumed: an authority taken away would stay trusted")
	}
}

func TestClientTLSVerifiesServers(t *testing.T) {
	own, foreign := newCA(t, "own"), newCA(t, "foreign")
	src := fixed(t, own.issue(t), own)
	expected := spiffeid.MatchID(spiffeid.RequireFromString("spiffe://example.org/wallet"))
	for _, tt := range []struct {
		name       string
		cert       tls.Certificate
		serverName string
		serverID   func(spiffeid.ID) error
		refused    string // part of the client's error
	}{
		{"the expected identity", own.issue(t, uris("spiffe://example.org/wallet")), "", expected, ""},
		{"another identity", own.issue(t, uris("spiffe://example.org/bets")), "", expected, "unexpected ID"},
		{"no identity", own.issue(t), "", expected, "unexpected ID"},
		{"the expected identity by a foreign authority", foreign.issue(t, uris("spiffe://example.org/wallet")), "", expected, "unknown authority"},
		{"expired", own.issue(t, uris("spiffe://example.org/wallet"), valid(-2*hour, -hour)), "", expected, "expired"},
		{"two identities", own.issue(t, uris("spiffe://example.org/wallet", "spiffe://example.org/b")), "", expected, "2 URIs"},
		{"the expected host", own.issue(t), "localhost", nil, ""},
		{"another host", own.issue(t), "wallet", nil, "not wallet"},
		{"an address, where only a host could be checked", own.issue(t), "127.0.0.1", nil, "no host name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := mtls.ClientTLS(src, tt.serverID)
			client.ServerName = tt.serverName
			server := &tls.Config{Certificates: []tls.Certificate{tt.cert}, ClientAuth: tls.RequireAnyClientCert}
			serverErr, clientErr := handshake(t, server, client)
			checkRefusal(t, tt.refused, clientErr, serverErr)
		})
	}
}

func TestNewIdentityRefuses(t *testing.T) {
	own := newCA(t, "own")
	roots := authorities([]*ca{own})
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"nothing", tls.Certificate{}, "needs a certificate chain"},
		{"no key", tls.Certificate{Certificate: own.issue(t).Certificate}, "its private key"},
		{"two identities", own.issue(t, uris("spiffe://a/b", "spiffe://a/c")), "2 URIs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mtls.NewIdentity(tt.cert, roots); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("no roots", func(t *testing.T) {
		if _, err := mtls.NewIdentity(own.issue(t), nil); err == nil {
			t.Error("accepted; crypto/tls would trust the roots of the system")
		}
	})
}
