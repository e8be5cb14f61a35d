package acceptance_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	ours, foreign := newAuthority(t, "ours"), newAuthority(t, "foreign")
	good := ours.issue(t, "caller", time.Hour)
	p := start(t, hello, newFiles(t, ours.issue(t, "hello", time.Hour), ours).env()...)

	if err := tryCall(within(t), p.grpc, credentials.NewTLS(ours.client(good))); err != nil {
		t.Fatalf("a client with everything in order: %v", err)
	}
	called := p.log.await(t, line("call", "method", "hello.v1.HelloService/SayHello"))
	if got := called.text("peer"); got != "spiffe://example.org/caller" {
		t.Errorf("peer in the access log: %q", got)
	}

	old := ours.client(good)
	old.MaxVersion = tls.VersionTLS12
	for _, tt := range []struct {
		name, reason string
		creds        credentials.TransportCredentials
	}{
		{"plain gRPC", "no_tls", insecure.NewCredentials()},
		{"TLS 1.2", "version", credentials.NewTLS(old)},
		{"no client certificate", "no_certificate", credentials.NewTLS(ours.client(tls.Certificate{}))},
		{"foreign authority", "unknown_authority", credentials.NewTLS(ours.client(foreign.issue(t, "caller", time.Hour)))},
		{"expired certificate", "expired", credentials.NewTLS(ours.client(ours.issue(t, "caller", -time.Minute)))},
		{"client that does not trust us", "rejected_by_peer", credentials.NewTLS(foreign.client(good))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			series := refusedSeries(tt.reason)
			before := p.metric(series)
			if err := tryCall(within(t), p.grpc, tt.creds); status.Code(err) != codes.Unavailable {
				t.Fatalf("got %v, expected to be refused", err)
			}
			await(t, series+" to grow", func() bool { return p.metric(series) > before })
			told := p.log.await(t, line("TLS handshake refused", "reason", tt.reason))
			if !strings.HasPrefix(told.text("peer"), "127.0.0.1:") || told.text("error") == "" {
				t.Errorf("the line lacks peer or error: %v", told)
			}
		})
	}
	if got := p.log.all(line("call")); len(got) != 1 {
		t.Errorf("%d calls in the access log, expected the good one alone", len(got))
	}
}

func TestRESTInProductionSpeaksTLSAlone(t *testing.T) {
	t.Parallel()
	ours, foreign := newAuthority(t, "ours"), newAuthority(t, "foreign")
	p := start(t, hello, newFiles(t, ours.issue(t, "hello", time.Hour), ours).env()...)
	url := "https://" + p.rest + "/v1/hello/Ann"

	for name, cert := range map[string]tls.Certificate{"no": {}, "a good": ours.issue(t, "caller", time.Hour)} {
		got, err := fetch(newHTTPClient(t, ours.client(cert)), http.MethodGet, url, "")
		if err != nil || got.status != http.StatusOK {
			t.Errorf("with %s client certificate: %d %v", name, got.status, err)
		}
	}
	for name, cert := range map[string]tls.Certificate{
		"unknown_authority": foreign.issue(t, "caller", time.Hour), "expired": ours.issue(t, "caller", -time.Minute),
	} {
		if got, err := fetch(newHTTPClient(t, ours.client(cert)), http.MethodGet, url, ""); err == nil {
			t.Errorf("%s: got %d, expected to be refused", name, got.status)
		}
		await(t, name+" to be counted", func() bool { return p.metric(refusedSeries(name)) > 0 })
	}
	if got, err := fetch(newHTTPClient(t, nil), http.MethodGet, "http://"+p.rest+"/v1/hello/Ann", ""); err == nil && got.status != http.StatusBadRequest {
		t.Errorf("plain HTTP: got %d, expected to be refused", got.status)
	}
}

func TestManyRefusalsLeaveFewLines(t *testing.T) {
	t.Parallel()
	const attempts = 100
	ours := newAuthority(t, "ours")
	p := start(t, hello, newFiles(t, ours.issue(t, "hello", time.Hour), ours).env()...)
	begun := time.Now()
	inParallel(attempts, 8, func(int) {
		conn, err := tls.Dial("tcp", p.grpc, ours.client(tls.Certificate{}))
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1)) // the server's refusal comes after the client's side is done
	})
	await(t, "every refusal to be counted", func() bool { return p.metric(refusedSeries("no_certificate")) == attempts })
	// Five a window of 10 s; a machine that is slow sees several windows.
	most := 5 * (1 + int(time.Since(begun)/(10*time.Second)) + 1)
	if got := len(p.log.all(line("TLS handshake refused"))); got == 0 || got > most {
		t.Errorf("%d lines for %d refusals, expected between 1 and %d", got, attempts, most)
	}
}

func refusedSeries(reason string) string {
	return fmt.Sprintf("chassis_tls_handshake_errors_total{reason=%q}", reason)
}

func TestProductionDoesNotStartWithoutCertificates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ env, wants []string }{
		"none":         {nil, []string{"CHASSIS_TLS_CERT_FILE", "CHASSIS_TLS_KEY_FILE", "CHASSIS_TLS_CA_FILE", "SPIFFE_ENDPOINT_SOCKET"}},
		"one of three": {[]string{"CHASSIS_TLS_CERT_FILE=/nowhere/tls.crt"}, []string{"CHASSIS_TLS_KEY_FILE", "CHASSIS_TLS_CA_FILE"}},
		"files that are not there": {[]string{
			"CHASSIS_TLS_CERT_FILE=/nowhere/tls.crt", "CHASSIS_TLS_KEY_FILE=/nowhere/tls.key", "CHASSIS_TLS_CA_FILE=/nowhere/ca.crt",
		}, []string{"/nowhere/tls.crt", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, hello, append(tt.env, "CHASSIS_ENVIRONMENT=production")...)
			if code := p.exitCode(); code != 1 {
				t.Errorf("exit code %d, expected 1", code)
			}
			for _, want := range tt.wants {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("the error does not mention %s: %s", want, p.stderr)
				}
			}
			if p.log.has(step("ports_bound")) {
				t.Error("it opened its ports")
			}
		})
	}
}
