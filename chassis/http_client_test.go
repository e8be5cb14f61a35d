package chassis_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
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

// Where a redirect leads to another host, that host learns neither the API key nor the query of the
// first.
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
		r.Header = http.Header{"X-Api-Key": {"secret"}, "X-Shop": {"one"}, "Accept": {"text/csv"}}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if (got["X-Api-Key"] != nil) != kept || (got["X-Shop"] != nil) != kept || got["Referer"] != nil || got.Get("Accept") != "text/csv" {
			t.Errorf("%s gets %v", host, got)
		}
	}
}

// hops are servers of which each but the last redirects to the next one. Names of the same host
// take turns with other names.
func hops(t *testing.T, code int, last http.HandlerFunc, hosts ...string) (first string) {
	t.Helper()
	next := ""
	for n := range hosts {
		to := next
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if to == "" {
				last(w, r)
				return
			}
			http.Redirect(w, r, to, code)
		}))
		t.Cleanup(server.Close)
		next = strings.Replace(server.URL, "127.0.0.1", hosts[len(hosts)-1-n], 1)
	}
	return next
}

// Of a request that another host has had its hand in, no host gets more than which form of the
// answer is wanted: any other name of a header may be that of a credential.
func TestHTTPClientRedirectsWithFewHeaders(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	for name, hosts := range map[string][]string{
		"to another host":        {"127.0.0.1", "localhost"},
		"to the same by another": {"127.0.0.1", "localhost", "127.0.0.1"},
		"to another by the same": {"127.0.0.1", "127.0.0.1", "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			first := hops(t, http.StatusFound, func(_ http.ResponseWriter, r *http.Request) { got = r.Header }, hosts...)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, first, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, header := range []string{"Authorization", "Cookie", "X-Auth-Key", "Ocp-Apim-Subscription-Key", "X-Functions-Key", "Auth",
				"X-Session", "X-Signature", "X-Master-Key", "Dd-Application-Key", "Referer", "X-Whatever", "From"} {
				r.Header.Set(header, "s3cr3t")
			}
			r.Header.Set("Range", "bytes=0-9")
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			for header, values := range got {
				if slices.Contains(values, "s3cr3t") {
					t.Errorf("the other host gets %s", header)
				}
			}
			if got.Get("Range") != "bytes=0-9" {
				t.Errorf("the other host gets %v, want what is asked for", got)
			}
		})
	}
}

// A body goes to no other host. The answer that redirects is the answer then; one without a body is
// followed.
func TestHTTPClientRedirectsWithoutBody(t *testing.T) {
	t.Parallel()
	_, client := asksThirdParty(t, nil)
	for _, tc := range []struct {
		code       int
		method     string
		body       string
		host       string
		want, sent string // what the client gets, and what arrived behind the redirect
	}{
		{307, "POST", "client_secret=s3cr3t", "localhost", "307", ""},
		{308, "PUT", "client_secret=s3cr3t", "localhost", "308", ""},
		{307, "POST", "", "localhost", "200", "POST "},
		{307, "GET", "", "localhost", "200", "GET "},
		{302, "POST", "client_secret=s3cr3t", "localhost", "200", "GET "},
		{307, "POST", "form", "127.0.0.1", "200", "POST form"},
	} {
		var sent string
		first := hops(t, tc.code, func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			sent = r.Method + " " + string(body)
		}, "127.0.0.1", tc.host)
		var body io.Reader
		if tc.body != "" {
			body = strings.NewReader(tc.body)
		}
		r, err := http.NewRequestWithContext(t.Context(), tc.method, first, body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(answer.Body); err != nil {
			t.Errorf("%+v: the body of the answer: %v", tc, err)
		}
		_ = answer.Body.Close()
		if got := strconv.Itoa(answer.StatusCode); got != tc.want || sent != tc.sent {
			t.Errorf("%+v: got %s, sent %q", tc, got, sent)
		}
		if tc.want != "200" && answer.Header.Get("Location") == "" {
			t.Errorf("%+v: no Location", tc)
		}
	}
}

// The client trusts the system's roots, and the test's server has none of those; the rule is that
// of the client all the same.
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
	expectError(t, get(t, trusting, server.URL), "the server redirects from https to http")
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
