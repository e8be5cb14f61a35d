package chassis

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The transport as it is but for the roots, against servers over TLS.
func TestTransportOverTLS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version uint16 // the server's newest
		http2   bool
		major   int // 0: refused
	}{
		"HTTP/2":   {tls.VersionTLS13, true, 2},
		"HTTP/1.1": {tls.VersionTLS13, false, 1},
		"TLS 1.2":  {tls.VersionTLS12, true, 2},
		"TLS 1.1":  {tls.VersionTLS11, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.EnableHTTP2 = test.http2
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: test.version} //nolint:gosec // that is what is tried
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
			server.StartTLS()
			defer server.Close()
			transport := newTransport(10 * time.Second)
			defer transport.CloseIdleConnections()
			transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := transport.RoundTrip(request)
			switch {
			case err != nil && test.major == 0 && strings.Contains(err.Error(), "protocol version"):
			case err != nil:
				t.Error(err)
			default:
				_ = response.Body.Close()
				if response.ProtoMajor != test.major {
					t.Errorf("got %s, want HTTP/%d", response.Proto, test.major)
				}
			}
		})
	}
}

// Nothing is left without a bound.
func TestTransportIsBounded(t *testing.T) {
	t.Parallel()
	transport := newTransport(7 * time.Second)
	for name, bound := range map[string]int64{
		"TLSHandshakeTimeout": int64(transport.TLSHandshakeTimeout), "ExpectContinueTimeout": int64(transport.ExpectContinueTimeout),
		"IdleConnTimeout": int64(transport.IdleConnTimeout), "MaxResponseHeaderBytes": transport.MaxResponseHeaderBytes,
		"MaxConnsPerHost": int64(transport.MaxConnsPerHost), "MaxIdleConns": int64(transport.MaxIdleConns),
		"MaxIdleConnsPerHost": int64(transport.MaxIdleConnsPerHost), "SendPingTimeout": int64(transport.HTTP2.SendPingTimeout),
	} {
		if bound <= 0 {
			t.Errorf("%s is %d", name, bound)
		}
	}
	if transport.ResponseHeaderTimeout != 7*time.Second || transport.Proxy == nil || transport.DialContext == nil {
		t.Errorf("got %+v", transport)
	}
}
