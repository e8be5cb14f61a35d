package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/timeouts"
)

const (
	retriesMetric  = "chassis_http_client_retries_total"
	withheldMetric = "chassis_http_client_retries_withheld_total"
)

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

func TestHTTPClientRepeats(t *testing.T) {
	type outcome struct {
		status int
		header []string
		err    error
	}
	down := outcome{status: http.StatusServiceUnavailable}
	ok := outcome{status: http.StatusOK}
	date := func(after time.Duration) []string {
		return []string{"Retry-After", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(after).Format(http.TimeFormat)} // the clock of synctest
	}
	for name, test := range map[string]struct {
		method, body, key string
		stream            bool // the body cannot be had again
		outcomes          []outcome
		attempts          int
		status            int
		reason            string
		after             time.Duration // at least
	}{
		"fine":                {method: "GET", outcomes: []outcome{ok}, attempts: 1, status: 200},
		"503":                 {method: "GET", outcomes: []outcome{down, ok}, attempts: 2, status: 200, reason: "503"},
		"502":                 {method: "HEAD", outcomes: []outcome{{status: 502}, ok}, attempts: 2, status: 200, reason: "502"},
		"504":                 {method: "OPTIONS", outcomes: []outcome{{status: 504}, ok}, attempts: 2, status: 200, reason: "504"},
		"500 is no overload":  {method: "GET", outcomes: []outcome{{status: 500}, ok}, attempts: 1, status: 500},
		"three at most":       {method: "GET", outcomes: []outcome{down, down, down, ok}, attempts: 3, status: 503, reason: "503"},
		"refused connection":  {method: "GET", outcomes: []outcome{{err: errRefused}, ok}, attempts: 2, status: 200, reason: "connection"},
		"lost connection":     {method: "DELETE", outcomes: []outcome{{err: io.ErrUnexpectedEOF}, ok}, attempts: 2, status: 200, reason: "connection"},
		"no such host":        {method: "GET", outcomes: []outcome{{err: &net.DNSError{IsNotFound: true}}, ok}, attempts: 1},
		"no answer of DNS":    {method: "GET", outcomes: []outcome{{err: &net.DNSError{IsTemporary: true}}, ok}, attempts: 2, status: 200, reason: "connection"},
		"other errors":        {method: "GET", outcomes: []outcome{{err: errors.New("malformed")}, ok}, attempts: 1},
		"POST":                {method: "POST", body: "x", outcomes: []outcome{down, ok}, attempts: 1, status: 503},
		"PATCH":               {method: "PATCH", body: "x", outcomes: []outcome{down, ok}, attempts: 1, status: 503},
		"PATCH, never sent":   {method: "PATCH", body: "x", outcomes: []outcome{{err: errRefused}, ok}, attempts: 2, status: 200, reason: "connection"},
		"a stream never sent": {method: "POST", body: "x", stream: true, outcomes: []outcome{{err: errRefused}, ok}, attempts: 1},
		"POST, lost":          {method: "POST", body: "x", outcomes: []outcome{{err: errReset}, ok}, attempts: 1},
		"GET, lost":           {method: "GET", outcomes: []outcome{{err: errReset}, ok}, attempts: 2, status: 200, reason: "connection"},
		"a proxy is down":     {method: "POST", body: "x", outcomes: []outcome{{err: &net.OpError{Op: "proxyconnect", Err: errRefused}}, ok}, attempts: 2, status: 200, reason: "connection"},
		"wrong certificate":   {method: "POST", body: "x", outcomes: []outcome{{err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, ok}, attempts: 2, status: 200, reason: "connection"},
		"an alert, GET":       {method: "GET", outcomes: []outcome{{err: &net.OpError{Op: "remote error", Err: tls.AlertError(40)}}, ok}, attempts: 2, status: 200, reason: "connection"},
		"an alert, POST":      {method: "POST", body: "x", outcomes: []outcome{{err: &net.OpError{Op: "remote error", Err: tls.AlertError(40)}}, ok}, attempts: 1},
		"POST with a key":     {method: "POST", body: "x", key: "7", outcomes: []outcome{down, ok}, attempts: 2, status: 200, reason: "503"},
		"PUT with a body":     {method: "PUT", body: "x", outcomes: []outcome{down, down, ok}, attempts: 3, status: 200, reason: "503"},
		"PUT of a stream":     {method: "PUT", body: "x", stream: true, outcomes: []outcome{down, ok}, attempts: 1, status: 503},
		"429":                 {method: "GET", outcomes: []outcome{{status: 429}, ok}, attempts: 1, status: 429},
		"429 with a pause":    {method: "GET", outcomes: []outcome{{429, []string{"Retry-After", "2"}, nil}, ok}, attempts: 2, status: 200, reason: "429", after: 2 * time.Second},
		"429 until a date":    {method: "GET", outcomes: []outcome{{429, date(3 * time.Second), nil}, ok}, attempts: 2, status: 200, reason: "429", after: 3 * time.Second},
		"a date gone by":      {method: "GET", outcomes: []outcome{{429, date(-time.Hour), nil}, ok}, attempts: 2, status: 200, reason: "429"},
		"503 with a pause":    {method: "GET", outcomes: []outcome{{503, []string{"Retry-After", "4"}, nil}, ok}, attempts: 2, status: 200, reason: "503", after: 4 * time.Second},
		"too long a pause":    {method: "GET", outcomes: []outcome{{503, []string{"Retry-After", "6"}, nil}, ok}, attempts: 1, status: 503},
		"beyond the deadline": {method: "GET", outcomes: []outcome{{503, []string{"Retry-After", "5"}, nil}, {503, []string{"Retry-After", "5"}, nil}, ok}, attempts: 2, status: 503, reason: "503"},
		"no pause at all":     {method: "GET", outcomes: []outcome{{429, []string{"Retry-After", "soon"}, nil}, ok}, attempts: 1, status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
					o := test.outcomes[attempts]
					attempts++
					if test.body != "" {
						if body, err := io.ReadAll(r.Body); string(body) != test.body || err != nil {
							t.Errorf("attempt %d has the body %q, %v", attempts, body, err)
						}
					}
					if o.err != nil {
						return nil, o.err
					}
					return replying(r, o.status, o.header...), nil
				}))
				r := newRequest(t, t.Context(), test.method, "http://payments/", test.body)
				if test.stream {
					r.GetBody = nil
				}
				if test.key != "" {
					r.Header.Set("Idempotency-Key", test.key)
				}
				start := time.Now()
				response, err := p.Do(r)
				if err == nil {
					_ = response.Body.Close()
				}
				switch {
				case (err == nil) != (test.status != 0):
					t.Fatalf("got %v, want the status %d", err, test.status)
				case err == nil && response.StatusCode != test.status:
					t.Errorf("got %d, want %d", response.StatusCode, test.status)
				}
				if attempts != test.attempts || time.Since(start) < test.after {
					t.Errorf("%d attempts in %v, want %d in at least %v", attempts, time.Since(start), test.attempts, test.after)
				}
				p.wantValue(t, httpClientMetric, nil, 1)
				if test.reason != "" {
					p.wantValue(t, retriesMetric, labels{"reason": test.reason, "server_address": "payments"}, float64(test.attempts-1))
				}
				p.wantValue(t, retriesMetric, nil, float64(test.attempts-1))
			})
		})
	}
}

// Each attempt tells how long its client still waits.
func TestHTTPClientTellsWhatRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			told = append(told, r.Header.Get(timeouts.Header))
			return replying(r, http.StatusServiceUnavailable, "Retry-After", "1"), nil
		}))
		response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if len(told) != 3 || told[0] != "10" || !strings.HasPrefix(told[1], "8.9") || !strings.HasPrefix(told[2], "7.") {
			t.Errorf("told %q", told)
		}
	})
}

// A caller who gives up is not kept waiting by a pause, and costs no budget.
func TestHTTPClientCancelledInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			return replying(r, http.StatusServiceUnavailable, "Retry-After", "5"), nil
		}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := p.Do(newRequest(t, ctx, "GET", "http://payments/", "")) //nolint:bodyclose // there is none
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		p.wantValue(t, httpClientMetric, labels{"error_type": "cancelled"}, 1)
		p.wantValue(t, retriesMetric, nil, 0)
	})
}

// However badly a dependency does, it gets at most a tenth more than callers ask for.
func TestHTTPClientRetryBudget(t *testing.T) {
	for name, test := range map[string]struct {
		failing float64 // share of attempts
		spent   bool
	}{"a little": {.05, false}, "half": {.5, true}, "all": {1, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				luck := rand.New(rand.NewPCG(1, 2))
				attempts, calls := 0, 2000
				p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
					attempts++
					if luck.Float64() < test.failing {
						return replying(r, http.StatusServiceUnavailable), nil
					}
					return replying(r, http.StatusOK), nil
				}))
				for range calls {
					response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
					if err != nil {
						t.Fatal(err)
					}
					_ = response.Body.Close()
				}
				if attempts < calls || float64(attempts) > 1.1*float64(calls) {
					t.Errorf("%d attempts for %d calls", attempts, calls)
				}
				if withheld := p.value(t, withheldMetric, nil); (withheld > 0) != test.spent {
					t.Errorf("%v retries withheld", withheld)
				}
			})
		})
	}
}

// Callers who give up say nothing about the dependency: its budget is for its own failures.
func TestHTTPClientBudgetIsForFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, attempts := true, 0
		p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			attempts++
			if hang {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return replying(r, http.StatusServiceUnavailable), nil
		}))
		for range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if response, err := p.Do(newRequest(t, ctx, "GET", "http://payments/", "")); err == nil {
				_ = response.Body.Close()
			}
		}
		hang, attempts = false, 0
		response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if attempts != 3 {
			t.Errorf("%d attempts after calls that were cancelled, want 3", attempts)
		}
	})
}

// The connection of an answer that is not wanted is used again.
func TestHTTPClientKeepsItsConnection(t *testing.T) {
	leakcheck.Check(t)
	var connections, requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "an answer with a body")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	response, err := asks(t, network(t)).Do(newRequest(t, t.Context(), "GET", server.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, response)
	if response.StatusCode != http.StatusOK || connections.Load() != 1 {
		t.Errorf("got %d by %d connections, want 200 by one", response.StatusCode, connections.Load())
	}
}

// The next attempt does not wait for the end of an answer that nobody wants.
func TestHTTPClientLeavesSlowAnswers(t *testing.T) {
	leakcheck.Check(t)
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	response, err := asks(t, network(t)).Do(newRequest(t, t.Context(), "GET", server.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, response)
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %d, want the answer to the second attempt", response.StatusCode)
	}
}

// outOfTime are transports whose requests fail of a time limit of the transport, and whether they
// may have been sent.
func outOfTime(t *testing.T) map[string]struct {
	*http.Transport
	url, kind string
	sent      bool
} {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	address := silent.Addr().String()
	type transport = struct {
		*http.Transport
		url, kind string
		sent      bool
	}
	all := map[string]transport{
		"dial": {&http.Transport{DialContext: (&net.Dialer{Timeout: time.Nanosecond}).DialContext}, "http://" + address, "connect", false},
		"dial of a proxy": {&http.Transport{
			Proxy:       func(*http.Request) (*url.URL, error) { return url.Parse("http://" + address) },
			DialContext: (&net.Dialer{Timeout: time.Nanosecond}).DialContext,
		}, "http://payments.invalid", "connect", false},
		"TLS handshake": {&http.Transport{TLSHandshakeTimeout: time.Millisecond}, "https://" + address, "tls", false},
		"header":        {&http.Transport{ResponseHeaderTimeout: time.Millisecond}, "http://" + address, "timeout", true},
	}
	for _, tr := range all {
		t.Cleanup(tr.CloseIdleConnections)
	}
	return all
}

// What the transport's own limits cut off is sent again: whatever it is if it was never sent, else
// what may be repeated.
func TestHTTPClientRepeatsAfterTimeouts(t *testing.T) {
	for name, test := range outOfTime(t) {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+", "+method, func(t *testing.T) {
				p, body := asks(t, test.Transport), ""
				if method == "POST" {
					body = "x"
				}
				if response, err := p.Do(newRequest(t, t.Context(), method, test.url, body)); err == nil {
					_ = response.Body.Close()
					t.Fatal("no error")
				}
				want := 2.0
				if test.sent && method == "POST" {
					want = 0
				}
				p.wantValue(t, retriesMetric, labels{"reason": "connection"}, want)
				p.wantValue(t, httpClientMetric, labels{"error_type": test.kind}, 1)
			})
		}
	}
}

// A dependency that fails for good has no retries once the budget is spent, however long that lasts
// and whatever it fails of.
func TestHTTPClientBudgetStaysSpent(t *testing.T) {
	answer := func(status int) func(r *http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) { return replying(r, status), nil }
	}
	fails := func(err error) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	type failure struct {
		http.RoundTripper
		url string
	}
	failures := map[string]failure{
		"refused":      {transportFunc(fails(errRefused)), "http://payments/"},
		"500":          {transportFunc(answer(http.StatusInternalServerError)), "http://payments/"},
		"429":          {transportFunc(answer(http.StatusTooManyRequests)), "http://payments/"},
		"no such host": {transportFunc(fails(&net.DNSError{IsNotFound: true})), "http://payments/"},
		"malformed":    {transportFunc(fails(errors.New("malformed"))), "http://payments/"},
	}
	for name, test := range outOfTime(t) {
		failures[name] = failure{test.Transport, test.url}
	}
	for name, test := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := http.RoundTripper(transportFunc(fails(errRefused)))
			p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) { return next.RoundTrip(r) }))
			ask := func(n int, url string) float64 {
				for range n {
					if response, err := p.Do(newRequest(t, t.Context(), "GET", url, "")); err == nil {
						_ = response.Body.Close()
					}
				}
				return p.value(t, retriesMetric, nil)
			}
			spent := ask(150, "http://payments/")
			next = test.RoundTripper
			ask(600, test.url)
			next = transportFunc(fails(errRefused))
			if after := ask(10, "http://payments/"); after != spent {
				t.Errorf("%v retries, then %v more", spent, after-spent)
			}
		})
	}
}

// The end of the caller's own time is no failure of the dependency, also where it ends a dial.
func TestHTTPClientDialWithoutTime(t *testing.T) {
	gaveUp := 0
	p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		if gaveUp++; gaveUp > 200 {
			return nil, errRefused
		}
		<-r.Context().Done()
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}))
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if response, err := p.Do(newRequest(t, ctx, "GET", "http://payments/", "")); err == nil {
			_ = response.Body.Close()
		}
		cancel()
	}
	p.wantValue(t, retriesMetric, nil, 0)
	if response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", "")); err == nil {
		_ = response.Body.Close()
	}
	p.wantValue(t, retriesMetric, nil, 2)
}
