package chassis_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// authority issues certificates and lists of those that are revoked.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject: pkix.Name{CommonName: rand.Text()}, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	template.SerialNumber, template.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Minute)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) leaf(name string, life time.Duration) *tls.Certificate {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "test", Path: "/" + name}}, NotAfter: time.Now().Add(life), DNSNames: []string{name},
	})
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (a *authority) revoke(certs ...*tls.Certificate) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Minute),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// onFiles is a service whose certificates come from files that a test replaces.
type onFiles struct {
	*chassistest.Running
	t            *testing.T
	dir          string
	ours, theirs *authority
	entered      chan string // what a handler that waits has begun to do
}

func startOnFiles(t *testing.T, life time.Duration) (*onFiles, *tls.Certificate) {
	t.Helper()
	f := &onFiles{t: t, dir: t.TempDir(), ours: newAuthority(t), theirs: newAuthority(t), entered: make(chan string, 8)}
	own := f.ours.leaf("echo", time.Hour)
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	f.write("tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Leaf.Raw}))
	f.write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	f.trust(f.ours, f.theirs)
	f.write("crl.pem", f.theirs.revoke())
	wait := func(ctx context.Context, what string) error {
		f.entered <- what
		<-ctx.Done()
		return ctx.Err()
	}
	service := echoes(&echo.Service{OnList: func(ctx context.Context, text string, send func(string) error) error {
		return errors.Join(send("first"), wait(ctx, text))
	}}, func(app *chassis.App) {
		app.Handle("GET /plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "plain") }))
		app.Handle("GET /events", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			_ = wait(r.Context(), "events")
		}))
	})
	f.Running = start(t, service, env{
		"CHASSIS_MTLS": "files", "CHASSIS_HTTP_TLS": "true", "CHASSIS_TLS_CERT_FILE": f.path("tls.crt"), "CHASSIS_TLS_KEY_FILE": f.path("tls.key"),
		"CHASSIS_TLS_CA_FILE": f.path("ca.crt"), "CHASSIS_TLS_CRL_FILE": f.path("crl.pem"), "CHASSIS_CALL_TIMEOUT": "1m",
		"CHASSIS_POLICY_OVERRIDES": `{"test.v1.EchoService/Say": {"callers": ["web", "till"]}}`, // else anybody may
	})
	return f, f.theirs.leaf("web", life)
}

func (f *onFiles) path(name string) string { return filepath.Join(f.dir, name) }

func (f *onFiles) write(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *onFiles) trust(authorities ...*authority) {
	f.t.Helper()
	var data []byte
	for _, a := range authorities {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	}
	f.write("ca.crt", data)
}

func (f *onFiles) presenting(cert *tls.Certificate, protocol string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(f.ours.cert)
	return &tls.Config{RootCAs: roots, ServerName: "echo", Certificates: []tls.Certificate{*cert}, NextProtos: []string{protocol}}
}

// What a caller has proved counts for as long as it is true: each way of calling, on connections
// that are open already.
func TestEndOfWhatWasProved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		life time.Duration
		end  func(*onFiles, *tls.Certificate)
		why  string
	}{
		"the certificate expires":    {3 * time.Second, func(*onFiles, *tls.Certificate) {}, "expired at"},
		"its authority is taken out": {time.Hour, func(f *onFiles, _ *tls.Certificate) { f.trust(f.ours) }, "not trusted any more"},
		"the certificate is revoked": {time.Hour, func(f *onFiles, c *tls.Certificate) { f.write("crl.pem", f.theirs.revoke(c)) }, "is revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, cert := startOnFiles(t, tc.life)
			conn := f.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(f.presenting(cert, "h2"))))
			call := func() error { _, err := echo.Say(t.Context(), conn, "x"); return err }
			if err := call(); err != nil {
				t.Fatal(err)
			}
			stream, err := echo.List(t.Context(), conn, "by gRPC")
			if err == nil {
				_, err = stream.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			rest := map[string]*http.Client{}
			for _, protocol := range []string{"http/1.1", "h2"} {
				client := f.HTTPWith(f.presenting(cert, protocol))
				rest[protocol] = client
				if got := do(t, client, "GET", "https://rest/plain", ""); got.status != 200 {
					t.Fatalf("%s: got %s", protocol, got)
				}
				if got := do(t, client, "POST", "https://rest/v1/say", `"x"`); got.status != 200 {
					t.Fatalf("%s: a call got %s", protocol, got)
				}
			}
			open := map[string]*bufio.Reader{}
			for _, path := range []string{"/v1/list/x", "/events"} {
				resp, err := f.HTTPWith(f.presenting(cert, "http/1.1")).Get("https://rest" + path)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close() //nolint:errcheck // of a test
				open[path] = bufio.NewReader(resp.Body)
			}

			tc.end(f, cert)
			until(t, "calls by gRPC are refused", func() bool { return call() != nil })
			for protocol, client := range rest {
				until(t, protocol+" is refused", func() bool {
					resp, err := client.Get("https://rest/plain")
					if err != nil { // the connection was ended, and no other is made
						return true
					}
					defer resp.Body.Close() //nolint:errcheck // of a test
					return resp.StatusCode == http.StatusUnauthorized
				})
				if resp, err := client.Post("https://rest/v1/say", "application/json", strings.NewReader(`"x"`)); err == nil && resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: a call got %d, want 401 or no connection", protocol, resp.StatusCode)
				}
			}
			for err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "connect again") {
				t.Errorf("the stream by gRPC: got %v, want UNAVAILABLE that says why", err)
			}
			if last := lastLine(t, open["/v1/list/x"]); !strings.Contains(last, "connect again") {
				t.Errorf("the stream by REST ends with %q, want an error that says why", last)
			}
			if _, err := io.Copy(io.Discard, open["/events"]); err != nil {
				t.Errorf("the events were cut, by %v, and not ended", err)
			}
			until(t, "a line tells operators: "+tc.why, func() bool { return f.told(tc.why) })
			if got := f.Metric("chassis_rpc_rejected_total", "reason", "unauthenticated"); got < 1 {
				t.Errorf("%v calls and streams counted as refused, want some", got)
			}
		})
	}
}

// told reports whether a line of the log has the words.
func (f *onFiles) told(words string) bool {
	for _, line := range f.Logs() {
		for _, value := range line {
			if text, ok := value.(string); ok && strings.Contains(text, words) {
				return true
			}
		}
	}
	return false
}

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A client whose certificate is replaced in time loses no call when the authority of its old one
// goes: it has made a new connection with the new one by then. Nothing that other callers prove is
// touched.
func TestEndOfOneIsNotOfOthers(t *testing.T) {
	t.Parallel()
	f, cert := startOnFiles(t, time.Hour)
	other := f.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(f.presenting(f.ours.leaf("till", time.Hour), "h2"))))
	stream, err := echo.List(t.Context(), other, "by gRPC")
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	conn := f.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(f.presenting(cert, "h2"))))
	if _, err := echo.Say(t.Context(), conn, "x"); err != nil {
		t.Fatal(err)
	}
	f.trust(f.ours)
	until(t, "the one is refused", func() bool { _, err := echo.Say(t.Context(), conn, "x"); return err != nil })
	for range 20 {
		if _, err := echo.Say(t.Context(), other, "x"); err != nil {
			t.Fatalf("the other is refused too: %v", err)
		}
	}
	ended := make(chan error, 1)
	go func() { _, err := stream.Recv(); ended <- err }()
	f.write("crl.pem", f.theirs.revoke(cert))
	until(t, "the list is read", func() bool { return f.Metric("chassis_certificate_reloads_total", "result", "ok") >= 2 })
	select {
	case err := <-ended:
		t.Errorf("the stream of the other ended: %v", err)
	default:
	}
}

// A REST connection of age gets an answer that ends it, and no request is lost by that.
func TestAgeOfRESTConnections(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			ca := chassistest.NewCA(t)
			svc := chassistest.Start(t, echoes(&echo.Service{}), chassistest.Options{
				CA: ca, Env: env{"CHASSIS_HTTP_TLS": "true", "CHASSIS_MAX_CONNECTION_AGE": "50ms"},
			})
			config := svc.TLS()
			config.NextProtos = []string{protocol}
			client, connections := svc.HTTPWith(config), 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
				if !got.Reused {
					connections++
				}
			}})
			until(t, "a third connection", func() bool {
				req, err := http.NewRequestWithContext(ctx, "POST", "https://rest/v1/say", strings.NewReader(`"x"`))
				if err != nil {
					t.Fatal(err)
				}
				if got := send(t, client, req); got.status != 200 {
					t.Fatalf("got %s", got)
				}
				return connections >= 3
			})
		})
	}
}

// A bearer token that ends within a stream ends it.
func TestEndOfAToken(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 1)
	service := echoes(&echo.Service{OnList: func(ctx context.Context, _ string, send func(string) error) error {
		err := send("first")
		entered <- struct{}{}
		<-ctx.Done()
		return err
	}})
	service.Tokens = shortTokens{}
	svc := start(t, service, env{"CHASSIS_POLICY_OVERRIDES": `{"test.v1.EchoService/List": {"callers": ["user:alice"]}}`})
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://rest/v1/list/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := svc.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of a test
	await(t, entered, "the handler is called")
	expectAll(t, lastLine(t, resp.Body), "the bearer token has expired")
	if got := svc.Metric("chassis_rpc_rejected_total", "reason", "unauthenticated"); got != 1 {
		t.Errorf("%v streams counted as refused, want 1", got)
	}
}

// A bearer token ends what a plain handler goes on sending, and a connection that it has taken
// over, on public routes too. A download of a known length is no stream, and neither is a request
// that is not answered yet.
func TestEndOfATokenInPlainHandlers(t *testing.T) {
	t.Parallel()
	later := make(chan struct{})
	service := setsUp(func(app *chassis.App) {
		events := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			_, _ = io.WriteString(w, context.Cause(r.Context()).Error())
		})
		app.Handle("GET /events", events, "user:alice")
		app.HandlePublic("GET /public", events)
		app.HandlePublic("GET /socket", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(conn, conn)
		}))
		app.HandlePublic("GET /download", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "11")
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-later
			_, _ = io.WriteString(w, "whole")
		}))
		app.HandlePublic("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-later
			_, _ = io.WriteString(w, "whole")
		}))
	})
	service.Tokens = shortTokens{}
	svc := start(t, service, nil)
	open := func(path string) <-chan string {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://rest"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		if path == "/socket" {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "x")
		}
		last := make(chan string, 1)
		go func() {
			resp, err := svc.HTTP().Do(req)
			if err != nil {
				last <- err.Error()
				return
			}
			defer resp.Body.Close() //nolint:errcheck // of a test
			all, err := io.ReadAll(resp.Body)
			last <- fmt.Sprint(string(all), ", ", err)
		}()
		return last
	}
	download, slow := open("/download"), open("/slow")
	for _, path := range []string{"/events", "/public"} {
		expectAll(t, await(t, open(path), path+" ends"), "first", "the bearer token has expired", "<nil>")
	}
	await(t, open("/socket"), "the connection that was taken over ends")
	until(t, "three streams are counted as refused", func() bool {
		return svc.Metric("chassis_rpc_rejected_total", "reason", "unauthenticated") == 3
	})
	close(later)
	expectAll(t, await(t, download, "the download ends"), "first\nwhole, <nil>")
	expectAll(t, await(t, slow, "the slow answer comes"), "whole, <nil>")
}

// shortTokens are good for as long as it takes to see that.
type shortTokens struct{ fakeTokens }

func (shortTokens) VerifyUntil(context.Context, string) (string, time.Time, error) {
	return "alice", time.Now().Add(200 * time.Millisecond), nil
}

// A list without certificates from files would revoke nothing.
func TestRevocationListWithoutFiles(t *testing.T) {
	t.Parallel()
	got := startError(t, echoes(&echo.Service{}), env{"CHASSIS_MTLS": "development", "CHASSIS_TLS_CRL_FILE": "/crl.pem"})
	expectAll(t, got, "CHASSIS_TLS_CRL_FILE", `"development"`, "files")
}
