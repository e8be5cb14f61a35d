package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/outbound"
	"github.com/betmakers/paddock/internal/timeouts"
)

const httpClientMetric = "http_client_request_duration_seconds"

// thirdParty is a client of a third party, what it counts and what it records.
type thirdParty struct {
	*fixture // its registry alone
	*http.Client
	spans *tracetest.SpanRecorder
	lines *logBuffer
}

// asks returns a client whose requests run through the pass to next, for ten seconds at most.
func asks(t testing.TB, next http.RoundTripper, changes ...func(*outbound.Config)) *thirdParty {
	t.Helper()
	p := &thirdParty{
		fixture: &fixture{registry: prometheus.NewPedanticRegistry()}, spans: tracetest.NewSpanRecorder(), lines: new(logBuffer),
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p.spans), sdktrace.WithIDGenerator(givenIDs{}))
	cfg := outbound.Config{
		Tracer: provider.Tracer("test"), Sampled: always, Registerer: p.registry,
		Logger: slog.New(slog.NewJSONHandler(p.lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := outbound.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := client.RoundTripper("payments", next, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	p.Client = &http.Client{Transport: transport}
	return p
}

// transportFunc answers without a network.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // as the interface asks for
	}
	return f(r)
}

func replying(r *http.Request, status int, header ...string) *http.Response {
	w := httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(status)
	_, _ = w.WriteString("answer")
	response := w.Result()
	response.Request = r
	return response
}

// network is a transport of the test's own, whose connections end with it.
func network(t testing.TB) *http.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func newRequest(t testing.TB, ctx context.Context, method, url, body string) *http.Request { //nolint:revive // t first in tests
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readAll(t testing.TB, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestHTTPClientObserves(t *testing.T) {
	leakcheck.Check(t)
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()
	p := asks(t, network(t))
	state, _ := trace.ParseTraceState("a=1")
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	member, _ := baggage.NewMember("race", "7")
	bag, _ := baggage.New(member)
	ctx := baggage.ContextWithBaggage(trace.ContextWithSpanContext(t.Context(), parent), bag)
	for _, path := range []string{"/found?token=secret", "/missing?token=secret"} {
		r := newRequest(t, ctx, "GET", server.URL+path, "")
		r.Header.Set("Authorization", "Bearer secret")
		response, err := p.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(p.spans.Ended()); n > 0 && path[1] == 'f' {
			t.Error("the span has ended before the body")
		}
		if body := readAll(t, response); body != "hello" {
			t.Errorf("read %q", body)
		}
		if len(r.Header) != 1 {
			t.Errorf("the caller's request has now the headers %v", r.Header)
		}
	}
	p.wantValue(t, httpClientMetric, labels{"http_request_method": "GET", "server_address": "payments", "http_response_status_code": "200", "error_type": ""}, 1)
	p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "404", "error_type": "404"}, 1)
	ended := p.spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want 2", len(ended))
	}
	span := ended[1]
	if span.SpanKind() != trace.SpanKindClient || span.Name() != "GET" || !span.Parent().Equal(parent) || span.Status().Code != otelcodes.Error ||
		ended[0].Status().Code != otelcodes.Unset {
		t.Errorf("got %s %q below %v, %v", span.SpanKind(), span.Name(), span.Parent(), span.Status())
	}
	want := attribute.NewSet(attribute.String("http.request.method", "GET"), attribute.String("server.address", "payments"),
		attribute.Int("http.response.status_code", 404), attribute.String("error.type", "404"))
	if set := attribute.NewSet(span.Attributes()...); !set.Equals(&want) {
		t.Errorf("got the attributes %v", span.Attributes())
	}
	ids := "00-" + parent.TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	if got.Get("Traceparent") != ids || got.Get("Tracestate") != "a=1" || got.Get("Baggage") != "" {
		t.Errorf("got the headers %v, want %s, the state and no baggage", got, ids)
	}
	if line := p.lines.only(t); line["peer"] != "payments" || line["kind"] != "404" {
		t.Errorf("logged %v", line)
	}
	if text := p.lines.String(); strings.Contains(text, "secret") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("logged %s", text)
	}
}

func TestHTTPClientWithoutPropagators(t *testing.T) {
	p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Traceparent") != "" {
			t.Errorf("got %v", r.Header)
		}
		return replying(r, http.StatusOK), nil
	}), func(cfg *outbound.Config) { cfg.IgnoreTraceContext, cfg.Tracer = true, nil })
	response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, response)
	p.wantValue(t, httpClientMetric, nil, 1)
}

// What others send and what callers invent makes no series.
func TestHTTPClientLabelsAreBounded(t *testing.T) {
	status := 0
	p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) { return replying(r, status), nil }))
	for status = 200; status < 999; status++ {
		response, err := p.Do(newRequest(t, t.Context(), "M"+strconv.Itoa(status), "http://host"+strconv.Itoa(status)+"/", ""))
		if err == nil {
			_ = response.Body.Close()
		}
	}
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if n := len(family.GetMetric()); n > 70 {
			t.Errorf("%s has %d series", family.GetName(), n)
		}
	}
	p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "400"}, 72) // itself, and what has no name of 4xx
}

func TestHTTPClientDeadlines(t *testing.T) {
	for name, test := range map[string]struct {
		left, want time.Duration
		header     string
	}{
		"the caller's":      {5 * time.Second, 4990 * time.Millisecond, "4.99"},
		"the caller's long": {time.Minute, 59990 * time.Millisecond, "59.99"},
		"a short one":       {50 * time.Millisecond, 47500 * time.Microsecond, "0.047"},
		"none":              {0, 10 * time.Second, "10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var header string
				p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
					header = r.Header.Get(timeouts.Header)
					<-r.Context().Done()
					return nil, r.Context().Err()
				}))
				ctx, start := t.Context(), time.Now()
				if test.left > 0 {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, test.left)
					defer cancel()
				}
				_, err := p.Do(newRequest(t, ctx, "GET", "http://payments/", "")) //nolint:bodyclose // there is none
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != test.want || header != test.header {
					t.Errorf("got %v after %v, told of %q", err, time.Since(start), header)
				}
				p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "", "error_type": "timeout"}, 1)
			})
		})
	}
}

// Redirects and the body have no time of their own.
func TestHTTPClientDeadlineIsOfTheWhole(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			time.Sleep(4 * time.Second)
			if r.URL.Path == "/end" {
				response := replying(r, http.StatusOK)
				response.Body = io.NopCloser(endless{r.Context()})
				return response, nil
			}
			return replying(r, http.StatusFound, "Location", "/end"), nil
		}))
		start := time.Now()
		response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(response.Body)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("got %v after %v, want the end after 10 s", err, time.Since(start))
		}
		_ = response.Body.Close()
		p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "302", "error_type": ""}, 1)
		p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "200", "error_type": "timeout"}, 1)
	})
}

// endless is a body that never comes.
type endless struct{ ctx context.Context } //nolint:containedctx // of the request

func (e endless) Read([]byte) (int, error) { <-e.ctx.Done(); return 0, e.ctx.Err() }

// A request ends once, at the first of the ways to end it.
func TestHTTPClientEndsOnce(t *testing.T) {
	for name, use := range map[string]func(*http.Response){
		"closed":          func(r *http.Response) { _ = r.Body.Close(); _ = r.Body.Close() },
		"read and closed": func(r *http.Response) { _, _ = io.ReadAll(r.Body); _ = r.Body.Close() },
		"read":            func(r *http.Response) { _, _ = io.ReadAll(r.Body) },
	} {
		t.Run(name, func(t *testing.T) {
			var ctx context.Context
			p := asks(t, transportFunc(func(r *http.Request) (*http.Response, error) {
				ctx = r.Context()
				return replying(r, http.StatusOK), nil
			}))
			response, err := p.Do(newRequest(t, t.Context(), "GET", "http://payments/", ""))
			if err != nil {
				t.Fatal(err)
			}
			p.wantValue(t, httpClientMetric, nil, 0)
			use(response)
			p.wantValue(t, httpClientMetric, nil, 1)
			if ctx.Err() == nil || len(p.spans.Ended()) != 1 {
				t.Errorf("the context's end is %v, after %d spans", ctx.Err(), len(p.spans.Ended()))
			}
		})
	}
}

func TestHTTPClientUpgrades(t *testing.T) {
	leakcheck.Check(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // it was used
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	}))
	defer server.Close()
	p := asks(t, network(t))
	r := newRequest(t, t.Context(), "GET", server.URL, "")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	response, err := p.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := response.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is %T", response.Body)
	}
	_, _ = io.WriteString(conn, "hello\n")
	if got, err := io.ReadAll(conn); string(got) != "hello\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_ = conn.Close()
	p.wantValue(t, httpClientMetric, labels{"http_response_status_code": "101"}, 1)
}

func TestHTTPClientErrors(t *testing.T) {
	leakcheck.Check(t)
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	tlsServer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for kind, test := range map[string]struct {
		ctx context.Context
		url string
	}{
		"tls":             {t.Context(), tlsServer.URL},
		"connection_lost": {t.Context(), cut.URL},
		"connect":         {t.Context(), gone.URL},
		"cancelled":       {cancelled, cut.URL},
		"_OTHER":          {t.Context(), "gopher://payments/"},
	} {
		t.Run(kind, func(t *testing.T) {
			p := asks(t, network(t))
			if response, err := p.Do(newRequest(t, test.ctx, "POST", test.url, "body")); err == nil {
				_ = response.Body.Close()
				t.Fatal("there is an answer")
			}
			p.wantValue(t, httpClientMetric, labels{"http_request_method": "POST", "http_response_status_code": "", "error_type": kind}, 1)
		})
	}
}

// Two dependencies share the metrics, and a stranger's metric of the same name is told of.
func TestHTTPClientMetricsAreShared(t *testing.T) {
	registry := prometheus.NewRegistry()
	client, err := outbound.NewClient(outbound.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"payments", "odds"} {
		if _, err := client.RoundTripper(name, http.DefaultTransport, 0); err != nil {
			t.Error(err)
		}
	}
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: httpClientMetric, Help: "another"}))
	client, err = outbound.NewClient(outbound.Config{Registerer: taken})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.RoundTripper("payments", http.DefaultTransport, 0); err == nil {
		t.Error("no error")
	}
}

// The errors of http.Client name the URL. Its query comes into no log and no answer of the call
// that is being served, as long as the error stays one.
func TestHTTPClientHidesTheQuery(t *testing.T) {
	leakcheck.Check(t)
	for name, next := range map[string]transportFunc{
		"failed": func(*http.Request) (*http.Response, error) { return nil, errRefused },
		"redirected": func(r *http.Request) (*http.Response, error) {
			return replying(r, http.StatusFound, "Location", ":nonsense"), nil
		},
	} {
		for how, wrap := range map[string]func(error) error{
			"as it is": func(err error) error { return err },
			"wrapped":  func(err error) error { return fmt.Errorf("paying: %w", err) },
			"joined":   func(err error) error { return errors.Join(status.Error(codes.Unavailable, "paying"), err) },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				p := asks(t, next)
				f, conn := start(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
					response, err := p.Do(newRequest(t, ctx, "POST", "http://bob:hidden@payments/pay?key=hidden", "x"))
					if err == nil {
						_ = response.Body.Close()
					}
					return nil, wrap(err)
				}})
				err := conn.Invoke(t.Context(), unary, new(message), new(message))
				if text := status.Convert(err).Message(); strings.Contains(text, "payments") || strings.Contains(text, "hidden") {
					t.Errorf("answered %q", text)
				}
				f.settle(t)
				if log := f.lines.String() + f.log.String(); strings.Contains(log, "hidden") || !strings.Contains(log, "@payments/pay?[REDACTED]") {
					t.Errorf("logged %s", log)
				}
			})
		}
	}
}
