package acceptance_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// leaf returns a certificate that is like those of a.issue but for its URIs, which need not be
// such, and what change says.
func (a *authority) leaf(t testing.TB, change func(*x509.Certificate), uris ...string) tls.Certificate {
	t.Helper()
	var names []asn1.RawValue
	for _, uri := range uris {
		names = append(names, asn1.RawValue{Tag: 6, Class: asn1.ClassContextSpecific, Bytes: []byte(uri)})
	}
	san, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "leaf"}, KeyUsage: x509.KeyUsageDigitalSignature, SerialNumber: newSerial(t),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// badIDs are identities that are none, or not in the form of the SPIFFE standard.
var badIDs = [][]string{
	{"spiffe://example.org"},
	{"spiffe://example.org/"},
	{"spiffe://example.org//web"},
	{"spiffe://example.org/../web"},
	{"spiffe://example.org/./web"},
	{"spiffe://example.org/a/../web"},
	{"spiffe://example.org/web/"},
	{"spiffe://EXAMPLE.org/web"},
	{"spiffe://example.org:443/web"},
	{"spiffe://user@example.org/web"},
	{"spiffe://example.org/web?x=1"},
	{"spiffe://example.org/web#x"},
	{"spiffe://example.org/we%62"},
	{"spiffe://example.org/web%00"},
	{"spiffe://example.org/web\x00.evil"},
	{"spiffe://ex\u0430mple.org/web"},
	{"https://example.org/web"},
	{"spiffe:/example.org/web"},
	{"spiffe:///web"},
	{"spiffe://example.org/*"},
	{"spiffe://example.org/web "},
	{"spiffe://example.org\\@evil/web"},
	{"spiffe://example.org/web", "spiffe://example.org/admin"},
	{"spiffe://example.org/web", "https://example.org"},
	{"spiffe://" + strings.Repeat("a", 256) + "/web"},
	{"spiffe://example.org/" + strings.Repeat("a", 2100)},
}

// badLeaves are certificates of an ID in order that X.509-SVID forbids, or that are for something
// else.
var badLeaves = map[string]func(*x509.Certificate){
	"an authority":        func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true },
	"keyCertSign":         func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign },
	"cRLSign":             func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign },
	"no digitalSignature": func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment },
	"for servers alone":   func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	"for mail":            func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} },
	"expired":             func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
	"not valid yet":       func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
}

// None of them makes a call, by gRPC or by REST, and all who are shown the door are counted.
func TestAttackIdentities(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello, "CHASSIS_LOG_REQUESTS=all")
	refuses := func(t *testing.T, cert tls.Certificate) {
		t.Helper()
		config := s.ours.client(cert)
		before := handshakesRefused(s)
		if err := tryCall(within(t), s.grpc, credentials.NewTLS(config)); err == nil {
			t.Error("a call by gRPC was answered")
		}
		if got, err := fetch(newHTTPClient(t, config), http.MethodGet, "https://"+s.rest+"/v1/hello/Ann", ""); err == nil {
			t.Errorf("a call by REST was answered: %d", got.status)
		}
		await(t, "both refusals to be counted", func() bool { return handshakesRefused(s) >= before+2 })
	}
	for _, uris := range badIDs {
		t.Run(strings.Join(uris, " and "), func(t *testing.T) { refuses(t, s.ours.leaf(t, nil, uris...)) })
	}
	for name, change := range badLeaves {
		t.Run(name, func(t *testing.T) { refuses(t, s.ours.leaf(t, change, "spiffe://example.org/web")) })
	}
	t.Run("beyond the names of its authority", func(t *testing.T) {
		partner := newAuthorityWith(t, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"partner.example"} })
		p := target{start(t, hello, newFiles(t, s.ours.issue(t, "target", time.Hour), s.ours, partner).env()...), s.ours, nil}
		for uri, good := range map[string]bool{"spiffe://partner.example/web": true, "spiffe://example.org/web": false} {
			err := tryCall(within(t), p.grpc, credentials.NewTLS(s.ours.client(partner.leaf(t, nil, uri))))
			if (err == nil) != good {
				t.Errorf("%s: %v", uri, err)
			}
		}
	})
	if calls := s.log.all(line("call")); len(calls) != 0 {
		t.Errorf("calls were made: %v", calls)
	}
	// The control: the same certificate with nothing wrong in it, and lookalikes, who come in as
	// what they are.
	for _, uri := range []string{"spiffe://example.org/web", "spiffe://example.orgx/web", "spiffe://evil.example.org/web", "spiffe://xn--exmple-cua.org/web"} {
		if err := tryCall(within(t), s.grpc, credentials.NewTLS(s.ours.client(s.ours.leaf(t, nil, uri)))); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
		s.log.await(t, line("call", "peer", uri))
	}
}

func newAuthorityWith(t testing.TB, change func(*x509.Certificate)) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "changed"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), SerialNumber: newSerial(t),
	}
	change(template)
	return &authority{cert: sign(t, template, template, key, key), key: key}
}

// handshakesRefused returns how many there were, whatever the reason.
func handshakesRefused(s target) (n float64) {
	for name, value := range s.series() {
		if strings.HasPrefix(name, "chassis_tls_handshake_errors_total{") {
			n += value
		}
	}
	return n
}

// Those that a method does not name are refused, and the lookalikes of one whom it names with them.
func TestAttackLookalikes(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello, `CHASSIS_POLICY_OVERRIDES={"hello.v1.HelloService/SayHello": {"public": false, "callers": ["web"]}}`)
	for uri, good := range map[string]bool{
		"spiffe://example.org/web":         true,
		"spiffe://example.org/webx":        false,
		"spiffe://example.org/Web":         false,
		"spiffe://example.org/a/web":       false,
		"spiffe://example.org/web/admin":   false,
		"spiffe://example.orgx/web":        false,
		"spiffe://evil.example.org/web":    false,
		"spiffe://example.org.evil/web":    false,
		"spiffe://xn--exmple-cua.org/web":  false,
		"spiffe://partner.example/web":     false,
		"spiffe://example.org/caller/web2": false,
	} {
		config := s.ours.client(s.ours.leaf(t, nil, uri))
		if err := tryCall(within(t), s.grpc, credentials.NewTLS(config)); (err == nil) != good {
			t.Errorf("%s by gRPC: %v", uri, err)
		}
		got, err := fetch(newHTTPClient(t, config), http.MethodGet, "https://"+s.rest+"/v1/hello/Ann", "")
		if want := map[bool]int{true: 200, false: 403}[good]; err != nil || got.status != want {
			t.Errorf("%s by REST: %d, %v", uri, got.status, err)
		}
	}
}

// TLS is that of now alone: each of these handshakes fails, or is answered like any other.
func TestAttackTLS(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello)
	for _, attack := range []struct {
		name, port string
		change     func(*tls.Config)
		served     bool
	}{
		{"TLS 1.0", "grpc", upTo(tls.VersionTLS10), false},
		{"TLS 1.0", "rest", upTo(tls.VersionTLS10), false},
		{"TLS 1.1", "grpc", upTo(tls.VersionTLS11), false},
		{"TLS 1.1", "rest", upTo(tls.VersionTLS11), false},
		{"TLS 1.2", "grpc", upTo(tls.VersionTLS12), false},
		{"TLS 1.2", "rest", upTo(tls.VersionTLS12), false},
		{"ALPN evil", "grpc", speaking("evil"), false},
		{"ALPN evil", "rest", speaking("evil"), false},
		{"ALPN acme-tls/1", "grpc", speaking("acme-tls/1"), false},
		{"ALPN acme-tls/1", "rest", speaking("acme-tls/1"), false},
		{"ALPN http/1.1", "grpc", speaking("http/1.1"), false},
		{"no ALPN", "grpc", speaking(), false},
		{"no ALPN", "rest", speaking(), true},
		{"no certificate", "grpc", func(c *tls.Config) { c.GetClientCertificate = nil }, false},
		{"no certificate", "rest", func(c *tls.Config) { c.GetClientCertificate = nil }, true},
		{"strange name", "grpc", func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "admin.evil.example", true }, true},
		{"strange name", "rest", func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "admin.evil.example", true }, true},
	} {
		t.Run(attack.name+"/"+attack.port, func(t *testing.T) {
			config := s.caller.Clone()
			config.MinVersion = tls.VersionTLS10
			config.NextProtos = []string{map[string]string{"grpc": "h2", "rest": "http/1.1"}[attack.port]}
			attack.change(config)
			if got := s.speaks(t, attack.port, config); got != attack.served {
				t.Errorf("served %t, expected %t", got, attack.served)
			}
		})
	}
	for _, port := range []string{"grpc", "rest"} {
		t.Run("resumption/"+port, func(t *testing.T) {
			config := s.caller.Clone()
			config.NextProtos = []string{map[string]string{"grpc": "h2", "rest": "http/1.1"}[port]}
			config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			for range 3 {
				config.VerifyConnection = func(state tls.ConnectionState) error {
					if state.DidResume {
						t.Error("a session was resumed: what was proved then would count now")
					}
					return nil
				}
				if !s.speaks(t, port, config) {
					t.Error("not served")
				}
			}
		})
	}
}

func upTo(version uint16) func(*tls.Config) { return func(c *tls.Config) { c.MaxVersion = version } }
func speaking(protos ...string) func(*tls.Config) {
	return func(c *tls.Config) { c.NextProtos = protos }
}

// speaks reports whether the server says something of its protocol.
func (s target) speaks(t *testing.T, port string, config *tls.Config) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr(port), config)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if port == "grpc" {
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+emptySettings)
		header := make([]byte, 9)
		_, err := io.ReadFull(conn, header)
		return err == nil && header[3] == 4 // SETTINGS
	}
	_, _ = io.WriteString(conn, smuggled)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
