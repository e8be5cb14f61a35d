package chassis_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

const httpClientMetric = "http_client_request_duration_seconds"

// asksThirdParty starts a service that has a client of a third party.
func asksThirdParty(t *testing.T, settings env) (*chassistest.Running, *http.Client) {
	t.Helper()
	var client *http.Client
	svc := start(t, setsUp(func(app *chassis.App) { client = app.HTTPClient("payments") }), settings)
	return svc, client
}

func TestHTTPClient(t *testing.T) {
	t.Parallel()
	var got http.Header
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.WriteString(w, "paid")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	svc, client := asksThirdParty(t, env{"CHASSIS_HTTP_CLIENT_TIMEOUT": "3s"})
	if answer := do(t, client, "GET", server.URL+"/pay?token=secret", ""); answer.body != "paid" {
		t.Errorf("got %v", answer)
	}
	if value := got.Get("Request-Timeout"); value != "3" && !strings.HasPrefix(value, "2.") {
		t.Errorf("Request-Timeout is %q, want what CHASSIS_HTTP_CLIENT_TIMEOUT leaves", value)
	}
	if len(got.Get("Traceparent")) != 55 {
		t.Errorf("traceparent is %q", got.Get("Traceparent"))
	}
	for label, want := range map[string]string{"server_address": "payments", "http_response_status_code": "200", "http_request_method": "GET"} {
		if n := svc.Metric(httpClientMetric, label, want); n != 1 {
			t.Errorf("%v requests with %s %s, want 1", n, label, want)
		}
	}
	do(t, client, "GET", server.URL, "")
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for two requests, want one that is kept", n)
	}
	svc.Stop()
	do(t, client, "GET", server.URL, "")
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections in all, want the first one closed by the stop", n)
	}
	client.CloseIdleConnections()
}

func TestHTTPClientIsOnePerName(t *testing.T) {
	t.Parallel()
	var kept *chassis.App
	start(t, setsUp(func(app *chassis.App) {
		kept = app
		if one, other := app.HTTPClient("payments"), app.HTTPClient("payments"); one != other || one == app.HTTPClient("odds") {
			t.Errorf("%p, %p", one, other)
		}
	}), nil)
	defer func() {
		if recover() == nil {
			t.Error("no panic after Setup")
		}
	}()
	kept.HTTPClient("late")
}

func TestHTTPClientNames(t *testing.T) {
	t.Parallel()
	text := startError(t, setsUp(func(app *chassis.App) {
		client := app.HTTPClient("https://payments.example")
		if _, err := client.Post("http://127.0.0.1:1", "", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "lower-case") { //nolint:noctx,bodyclose // it goes nowhere
			t.Errorf("got %v", err)
		}
	}), nil)
	expectAll(t, text, `HTTP client "https://payments.example"`, "lower-case letters")
	expectAll(t, startError(t, setsUp(func(*chassis.App) {}), env{"CHASSIS_HTTP_CLIENT_TIMEOUT": "0s"}),
		"CHASSIS_HTTP_CLIENT_TIMEOUT is 0s; it must be more than zero")
}

// redirecting answers with redirects as long as there are some left in n.
func redirecting(n *atomic.Int32, to func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(-1) >= 0 {
			http.Redirect(w, r, to(), http.StatusFound)
		}
	})
}

func TestHTTPClientRedirects(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	for redirects, want := range map[int32]string{5: "", 6: "more than 5 redirects"} {
		var n atomic.Int32
		n.Store(redirects)
		server := httptest.NewServer(redirecting(&n, func() string { return "/on" }))
		expectError(t, get(t, client, server.URL), want)
		server.Close()
	}
}

// Where a redirect leads to another host, that host learns neither the API key nor the query of the first.
func TestHTTPClientRedirectsWithoutSecrets(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	var got http.Header
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer target.Close()
	port := strings.TrimPrefix(target.URL, "http://127.0.0.1")
	for host, kept := range map[string]bool{"127.0.0.1": true, "localhost": false} {
		var n atomic.Int32
		n.Store(1)
		server := httptest.NewServer(redirecting(&n, func() string { return "http://" + host + port }))
		defer server.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?token=secret", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-Api-Key": {"secret"}, "X-Shop": {"one"}}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if (got["X-Api-Key"] != nil) != kept || got["Referer"] != nil || got.Get("X-Shop") != "one" {
			t.Errorf("%s gets %v", host, got)
		}
	}
}

// The client trusts the system's roots, and the test's server has none of those; the rule is that of the client all the same.
func TestHTTPClientKeepsTLS(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	var n atomic.Int32
	n.Store(1)
	server := httptest.NewTLSServer(redirecting(&n, func() string { return "http://127.0.0.1:1/" }))
	defer server.Close()
	expectError(t, get(t, client, server.URL), "certificate")
	trusting := server.Client()
	trusting.CheckRedirect = client.CheckRedirect
	expectError(t, get(t, trusting, server.URL), "redirected from https to http")
	if err := client.CheckRedirect(&http.Request{URL: &url.URL{Scheme: "https"}}, []*http.Request{{URL: &url.URL{Scheme: "http"}}}); err != nil {
		t.Errorf("from http to https: %v", err)
	}
}

// A header without end does not fill the memory.
func TestHTTPClientBoundsTheHeader(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Large", strings.Repeat("x", 100<<10))
	}))
	defer server.Close()
	expectError(t, get(t, client, server.URL), "exceeded")
}

func get(t *testing.T, client *http.Client, to string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", to, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// expectError expects no error where want is empty, and else one that says it.
func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}
