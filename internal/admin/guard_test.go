package admin_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/admin"
)

func TestDebugIsForCallersOnThisMachine(t *testing.T) {
	identity := func(r *http.Request) bool { return r.Header.Get("Test-Identity") == "allowed" }
	for _, tt := range []struct {
		name    string
		method  string // GET if empty
		path    string // /debug/status.json if empty
		remote  string // 127.0.0.1:5000 if empty
		host    string // localhost:8081 if empty
		headers map[string]string
		refused string // part of the reason; empty if let in
	}{
		{name: "loopback by name"},
		{name: "loopback by IPv4", host: "127.0.0.1:8081"},
		{name: "loopback by another IPv4 of the block", host: "127.8.9.1"},
		{name: "loopback by IPv6", remote: "[::1]:5000", host: "[::1]:8081"},
		{name: "loopback by IPv6 without a port", remote: "[::1]:5000", host: "[::1]"},
		{name: "loopback mapped into IPv6", remote: "[::ffff:127.0.0.1]:5000"},
		{name: "name in capitals", host: "LOCALHOST:8081"},

		{name: "another machine", remote: "10.1.2.3:5000", refused: "came from 10.1.2.3:5000"},
		{name: "another machine with a local name", remote: "192.168.0.9:5000", host: "localhost", refused: "came from"},
		{name: "another machine over IPv6", remote: "[2001:db8::1]:5000", host: "[::1]", refused: "came from"},
		{name: "private address mapped into IPv6", remote: "[::ffff:10.0.0.1]:5000", refused: "came from"},
		{name: "Istio's passthrough", remote: "127.0.0.6:5000", refused: "came from 127.0.0.6"},
		{name: "a unix socket", remote: "@", refused: "came from @"},

		{name: "rebound name", host: "evil.example:8081", refused: "not localhost or a loopback address"},
		{name: "name that begins like ours", host: "localhost.evil.example", refused: "not localhost"},
		{name: "name that begins like an address", host: "127.0.0.1.evil.example", refused: "not localhost"},
		{name: "the machine's own address", host: "10.1.2.3:8081", refused: "not localhost"},
		{name: "any address", host: "0.0.0.0:8081", refused: "not localhost"},

		{name: "Forwarded", headers: map[string]string{"Forwarded": "for=127.0.0.1"}, refused: "header Forwarded"},
		{name: "X-Forwarded-For", headers: map[string]string{"X-Forwarded-For": "127.0.0.1"}, refused: "header X-Forwarded-For"},
		{name: "X-Forwarded-Proto", headers: map[string]string{"X-Forwarded-Proto": "http"}, refused: "header X-Forwarded-Proto"},
		{name: "X-Real-IP", headers: map[string]string{"X-Real-IP": "127.0.0.1"}, refused: "header X-Real-Ip"},
		{name: "Via", headers: map[string]string{"Via": "1.1 proxy"}, refused: "header Via"},
		{name: "X-Client-Ip", headers: map[string]string{"X-Client-Ip": "1.2.3.4"}, refused: "header X-Client-Ip"},
		{name: "True-Client-Ip", headers: map[string]string{"True-Client-Ip": "1.2.3.4"}, refused: "header True-Client-Ip"},
		{name: "Client-Ip", headers: map[string]string{"Client-Ip": "1.2.3.4"}, refused: "header Client-Ip"},
		{name: "Cf-Connecting-Ip", headers: map[string]string{"Cf-Connecting-Ip": "1.2.3.4"}, refused: "header Cf-Connecting-Ip"},
		{name: "Cf-Ray", headers: map[string]string{"Cf-Ray": "1"}, refused: "header Cf-Ray"},
		{name: "linkerd", headers: map[string]string{"L5d-Client-Id": "web"}, refused: "header L5d-Client-Id"},
		{name: "underscores", headers: map[string]string{"X_Forwarded_For": "1.2.3.4"}, refused: "header X_forwarded_for"},
		{name: "X-Original-Forwarded-For", headers: map[string]string{"X-Original-Forwarded-For": "1.2.3.4"}, refused: "header X-Original-Forwarded-For"},
		{name: "X-Original-Host", headers: map[string]string{"X-Original-Host": "a"}, refused: "header X-Original-Host"},
		{name: "X-Cluster-Client-Ip", headers: map[string]string{"X-Cluster-Client-Ip": "1.2.3.4"}, refused: "header X-Cluster-Client-Ip"},
		{name: "Fastly", headers: map[string]string{"Fastly-Client-Ip": "1.2.3.4"}, refused: "header Fastly-Client-Ip"},
		{name: "AWS", headers: map[string]string{"X-Amzn-Trace-Id": "Root=1"}, refused: "header X-Amzn-Trace-Id"},
		{name: "CloudFront", headers: map[string]string{"X-Amz-Cf-Id": "1"}, refused: "header X-Amz-Cf-Id"},
		{name: "Azure", headers: map[string]string{"X-Azure-Clientip": "1.2.3.4"}, refused: "header X-Azure-Clientip"},
		{name: "certificate handed on", headers: map[string]string{"Ssl-Client-Cert": "x"}, refused: "header Ssl-Client-Cert"},
		{name: "proxy's own", headers: map[string]string{"Proxy-Connection": "keep-alive"}, refused: "header Proxy-Connection"},
		{name: "empty header of a proxy", headers: map[string]string{"X-Forwarded-For": ""}, refused: "header X-Forwarded-For"},
		{name: "what browsers, curl and scrapers send", headers: map[string]string{
			"Accept": "*/*", "Accept-Encoding": "gzip", "Accept-Language": "en", "User-Agent": "curl/8", "Cache-Control": "no-cache", "Pragma": "no-cache",
			"Connection": "keep-alive", "Upgrade-Insecure-Requests": "1", "Sec-Ch-Ua": "x", "Sec-Ch-Ua-Platform": "x", "Dnt": "1", "Cookie": "a=b", "Referer": "http://localhost:8081/debug/",
			"X-Prometheus-Scrape-Timeout-Seconds": "10", "Traceparent": "00-x", "Priority": "u=0", "Sec-Fetch-User": "?1", "If-None-Match": "x", "X-Request-Id": "1"}},
		{name: "Envoy", headers: map[string]string{"X-Envoy-Internal": "true"}, refused: "header X-Envoy-Internal"},
		{name: "forwarded for loopback from elsewhere", remote: "10.1.2.3:5000",
			headers: map[string]string{"X-Forwarded-For": "127.0.0.1"}, refused: "came from 10.1.2.3"},

		{name: "fetch by our own page", headers: map[string]string{"Sec-Fetch-Site": "same-origin"}},
		{name: "typed into the browser", headers: map[string]string{"Sec-Fetch-Site": "none"}},
		{name: "fetch by another site", headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, refused: "on behalf of another site"},
		{name: "fetch by another port of localhost", headers: map[string]string{"Sec-Fetch-Site": "same-site"}, refused: "on behalf of another site"},
		{name: "fetch by another site, old browser", headers: map[string]string{"Origin": "http://evil.example"}, refused: "on behalf of another site"},
		{name: "link from another site to a page", path: "/debug/",
			headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}},
		{name: "frame of another site", path: "/debug/",
			headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, refused: "another site"},
		{name: "link from another site to a profile", path: "/debug/pprof/heap",
			headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, refused: "another site"},

		{name: "post by curl", method: "POST", path: "/debug/log-level?level=info"},
		{name: "post by our own page", method: "POST", path: "/debug/log-level?level=info",
			headers: map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8081"}},
		{name: "post by our own page, old browser", method: "POST", path: "/debug/log-level?level=info",
			headers: map[string]string{"Origin": "http://localhost:8081"}},
		{name: "post by another site", method: "POST", path: "/debug/log-level?level=info",
			headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, refused: "another site"},
		{name: "post by another site that navigates", method: "POST", path: "/debug/",
			headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, refused: "another site"},
		{name: "post by another site, old browser", method: "POST", path: "/debug/log-level?level=info",
			headers: map[string]string{"Origin": "http://evil.example"}, refused: "another site"},
		{name: "post by a page without an origin", method: "POST", path: "/debug/log-level?level=info",
			headers: map[string]string{"Origin": "null"}, refused: "another site"},

		{name: "identity from elsewhere", remote: "10.1.2.3:5000", host: "wallet.internal:8081",
			headers: map[string]string{"Test-Identity": "allowed"}},
		{name: "identity over a unix socket", remote: "@", headers: map[string]string{"Test-Identity": "allowed"}},
		{name: "identity not allowed", remote: "10.1.2.3:5000",
			headers: map[string]string{"Test-Identity": "stranger"}, refused: "came from"},
		{name: "identity used by another site", remote: "10.1.2.3:5000", host: "wallet.internal:8081",
			headers: map[string]string{"Test-Identity": "allowed", "Sec-Fetch-Site": "cross-site"}, refused: "another site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := admin.New(admin.Config{Allow: identity, Level: newLevel()})
			defer h.Close()
			r := httptest.NewRequest(or(tt.method, "GET"), or(tt.path, "/debug/status.json"), nil)
			r.RemoteAddr, r.Host = or(tt.remote, "127.0.0.1:5000"), or(tt.host, "localhost:8081")
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if tt.refused == "" {
				if w.Code != http.StatusOK {
					t.Fatalf("answered %d, want 200: %s", w.Code, w.Body)
				}
				return
			}
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), tt.refused) {
				t.Fatalf("answered %d %q, want 403 because of %q", w.Code, w.Body, tt.refused)
			}
			for _, help := range []string{"kubectl port-forward", "CHASSIS_ADMIN_TLS", "CHASSIS_DEBUG_CALLERS"} {
				if !strings.Contains(w.Body.String(), help) {
					t.Errorf("the refusal does not mention %s:\n%s", help, w.Body)
				}
			}
		})
	}
}

// Where loopback is no reason to be let in, an identity is.
func TestDebugIsForIdentitiesAlone(t *testing.T) {
	allow := func(r *http.Request) bool { return r.Header.Get("Test-Identity") == "allowed" }
	for _, tc := range []struct {
		allow    func(*http.Request) bool
		identity string
		want     int
	}{{allow, "allowed", 200}, {allow, "", 403}, {nil, "allowed", 403}} {
		h := admin.New(admin.Config{Allow: tc.allow, NotLocal: true})
		r := httptest.NewRequest(http.MethodGet, "http://localhost:8081/debug/status.json", nil)
		r.RemoteAddr = "127.0.0.1:5000"
		r.Header.Set("Test-Identity", tc.identity)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want || tc.want == 403 && !strings.Contains(w.Body.String(), "CHASSIS_DEBUG_CALLERS") {
			t.Errorf("%+v: got %d %s", tc, w.Code, w.Body)
		}
	}
}

// A refusal is logged whatever the log's level is, once.
func TestRefusalsAreLogged(t *testing.T) {
	var log bytes.Buffer
	silent := slog.New(above{slog.NewTextHandler(&log, nil)})
	h := admin.New(admin.Config{Logger: silent, Level: new(slog.LevelVar), MayChange: func(*http.Request) error { return errors.New("you may not") }})
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "http://evil.example/debug/config", nil),
		httptest.NewRequest(http.MethodPut, "http://localhost/debug/log-level?level=error", nil),
		httptest.NewRequest(http.MethodPost, "http://localhost/debug/faults", nil),
		httptest.NewRequest(http.MethodGet, "http://localhost/debug/log-level", nil), // is let in
	} {
		r.RemoteAddr = "127.0.0.1:5000"
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	text := log.String()
	if strings.Count(text, "admin: debug request refused") != 3 || strings.Count(text, "caller=127.0.0.1:5000") != 3 || strings.Count(text, "you may not") != 2 {
		t.Errorf("the log has:\n%s", text)
	}
}

// above lets nothing through that asks.
type above struct{ slog.Handler }

func (above) Enabled(context.Context, slog.Level) bool { return false }

func TestEveryDebugPathIsGuarded(t *testing.T) {
	h := admin.New(admin.Config{Level: newLevel()})
	defer h.Close()
	for _, path := range []string{
		"/debug", "/debug/", "/debug/status.json", "/debug/config", "/debug/style.css", "/debug/log-level", "/debug/flight",
		"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/cmdline", "/debug/nothing",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr = "10.1.2.3:5000"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %s from elsewhere answered %d, want 403", method, path, w.Code)
			}
		}
	}
}

func TestProbesAndMetricsAnswerAnyone(t *testing.T) {
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	h := admin.New(admin.Config{Metrics: says("metrics"), Livez: says("livez"), Readyz: says("readyz"), Startupz: says("startupz")})
	defer h.Close()
	for _, name := range []string{"metrics", "livez", "readyz", "startupz"} {
		r := httptest.NewRequest("GET", "/"+name, nil)
		r.RemoteAddr, r.Host = "10.1.2.3:5000", "10.9.9.9:8081"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.String() != name {
			t.Errorf("/%s answered %d %q", name, w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/"+name, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST /%s answered %d, want 405", name, w.Code)
		}
	}
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
