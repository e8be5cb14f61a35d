package inbound_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// serveHTTP runs a handler behind the chain in a real HTTP server on loopback, and returns its
// address.
func (f *fixture) serveHTTP(t *testing.T, handler http.Handler, limits inbound.HTTPLimits) string {
	t.Helper()
	server := httptest.NewUnstartedServer(f.HTTP(handler, limits))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// restRoutes are what a gateway would have for the test service.
func (f *fixture) restRoutes(cfg inbound.RESTConfig) http.Handler {
	conn := f.Conn(cfg)
	routes := http.NewServeMux()
	routes.HandleFunc("POST /unary", func(w http.ResponseWriter, r *http.Request) {
		answer := new(message)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			inbound.WriteError(w, r, status.Error(codes.InvalidArgument, "unreadable"), gateway.HTTPStatusFromCode)
			return
		}
		if err := conn.Invoke(r.Context(), unary, new(message), answer); err != nil {
			inbound.WriteError(w, r, err, gateway.HTTPStatusFromCode)
			return
		}
		_, _ = w.Write([]byte("done"))
	})
	routes.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, serverStream)
		if err == nil {
			_, err = stream.Header()
		}
		if err != nil {
			inbound.WriteError(w, r, err, gateway.HTTPStatusFromCode)
			return
		}
		for stream.RecvMsg(new(message)) == nil {
			_, _ = w.Write([]byte("message\n"))
			w.(http.Flusher).Flush()
		}
	})
	return routes
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
	close  bool
}

func ask(t testing.TB, method, url string, body io.Reader, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("the answer is not complete: %v", err)
	}
	return answer{response.StatusCode, response.Header, string(text), response.Close}
}

// problem returns the answer's body as problem details.
func (a answer) problem(t testing.TB) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s %q is no problem: %v", a.status, a.header.Get("Content-Type"), a.body, err)
	}
	if int(p["status"].(float64)) != a.status || p["title"] == "" || p["trace_id"] != a.header.Get(inbound.TraceHeader) {
		t.Errorf("the problem %v does not fit its answer %d %v", p, a.status, a.header)
	}
	return p
}

func TestHTTPCall(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo})
	got := ask(t, "POST", f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{Timeout: time.Minute}), inbound.HTTPLimits{})+"/unary", nil,
		"Traceparent", parent01, "Baggage", "tier=gold")
	if got.status != http.StatusOK || got.body != "done" || got.header.Get(inbound.TraceHeader) != traceHex {
		t.Errorf("the answer is %+v", got)
	}
	line := f.lines.only(t)
	if line["protocol"] != "http" || line["method"] != unary[1:] || line["trace_id"] != traceHex {
		t.Errorf("the call is logged as %v", line)
	}
	if f.log.String() != "" {
		t.Errorf("a request whose call has its line logged %s", f.log)
	}
	f.wantValue(t, callsMetric, labels{"rpc_method": unary[1:], "rpc_status_code": "OK"}, 1)
	f.wantValue(t, requestsMetric, labels{"http_request_method": "POST", "http_route": "/unary", "http_response_status_code": "200"}, 1)
}

// A request that made no call has a line of its own.
func TestHTTPLine(t *testing.T) {
	for name, tc := range map[string]struct {
		requests     inbound.Requests
		path         string
		lines        int
		level, route string
		pathLogged   any
	}{
		"found":              {inbound.LogAll, "/plain?token=secret", 1, "INFO", "/plain", nil},
		"not found":          {inbound.LogAll, "/nothing?token=secret", 1, "INFO", "", "/nothing"},
		"fault":              {inbound.LogAll, "/fault", 1, "ERROR", "/fault", nil},
		"found, only failed": {inbound.LogFailed, "/plain", 0, "", "", nil},
		"fault, only failed": {inbound.LogFailed, "/fault", 1, "ERROR", "/fault", nil},
		"fault, none":        {inbound.LogNone, "/fault", 0, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			f := newChain(t, testHandlers{}, func(s *setup) { s.Requests = tc.requests })
			routes := http.NewServeMux()
			routes.HandleFunc("/plain", func(http.ResponseWriter, *http.Request) {})
			routes.HandleFunc("/fault", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			got := ask(t, "GET", f.serveHTTP(t, routes, inbound.HTTPLimits{})+tc.path, nil)
			records := f.log.records(t)
			if len(records) != tc.lines {
				t.Fatalf("%d lines, want %d: %s", len(records), tc.lines, f.log)
			}
			if tc.lines == 0 {
				return
			}
			r := records[0]
			if r["level"] != tc.level || r["route"] != tc.route || r["path"] != tc.pathLogged || r["msg"] != "request" || r["http_method"] != "GET" ||
				int(r["status"].(float64)) != got.status || r["trace_id"] != got.header.Get(inbound.TraceHeader) {
				t.Errorf("logged %v of %+v", r, got)
			}
			if strings.Contains(f.log.String(), "secret") {
				t.Error("the query is logged")
			}
		})
	}
}

func TestHTTPRoute(t *testing.T) {
	ok := func(http.ResponseWriter, *http.Request) {}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /horses/{id}", ok)
	mux.HandleFunc("/any/{rest...}", ok)
	mux.HandleFunc("example.com/host", ok)
	routes := gateway.NewServeMux(gateway.WithMiddlewares(func(next gateway.HandlerFunc) gateway.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			if pattern, found := gateway.HTTPPattern(r.Context()); found {
				inbound.SetRoute(r.Context(), pattern.String())
			}
			next(w, r, params)
		}
	}))
	if err := routes.HandlePath("GET", "/v1/riders/{name}/races/{race}", func(http.ResponseWriter, *http.Request, map[string]string) {}); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", routes)
	for path, want := range map[string]string{
		"/horses/7": "/horses/{id}", "/any/a/b/c": "/any/{rest...}", "http://example.com/host": "example.com/host",
		"/v1/riders/ann/races/3": "/v1/riders/{name=*}/races/{race=*}", "/nothing": "", "/v1/riders": "",
	} {
		t.Run(path, func(t *testing.T) {
			leakcheck.Check(t)
			f := newChain(t, testHandlers{})
			f.HTTP(mux, inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
			f.wantValue(t, requestsMetric, labels{"http_route": want}, 1)
		})
	}
	inbound.SetRoute(t.Context(), "without a request it does nothing")
}

func TestHTTPPanic(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{})
	routes := http.NewServeMux()
	routes.HandleFunc("/at-once", func(http.ResponseWriter, *http.Request) { panic(secret) })
	routes.HandleFunc("/goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	url := f.serveHTTP(t, routes, inbound.HTTPLimits{})
	for path, what := range map[string]string{"/at-once": "handler panicked", "/goexit": "handler ended its goroutine"} {
		got := ask(t, "GET", url+path, nil)
		detail, _ := got.problem(t)["detail"].(string)
		if got.status != http.StatusInternalServerError || !strings.HasPrefix(detail, "internal error, id ") || strings.Contains(got.body, secret) {
			t.Errorf("%s: the answer is %+v", path, got)
		}
		if logged := f.log.String(); !strings.Contains(logged, strings.TrimPrefix(detail, "internal error, id ")) || !strings.Contains(logged, what) {
			t.Errorf("%s logged %s", path, logged)
		}
	}
	f.until(t, "both requests are counted", func() bool { return f.value(t, requestsMetric, nil) == 2 })
	f.wantValue(t, panicsMetric, labels{"where": "http"}, 1)
	f.wantValue(t, requestsMetric, labels{"http_response_status_code": "500"}, 2)
}

// http.ErrAbortHandler is how a handler cuts its connection, not a panic to report.
func TestHTTPAbort(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{})
	url := f.serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), inbound.HTTPLimits{})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if response, err := client.Get(url); err == nil {
		_ = response.Body.Close()
		t.Errorf("answered %s, want a cut connection", response.Status)
	}
	f.wantValue(t, panicsMetric, nil, 0)
	f.wantValue(t, requestsMetric, nil, 1)
}

func TestHTTPRefusesCompressedBodies(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})
	for encoding, want := range map[string]int{"gzip": 415, "br": 415, "identity": 200, "": 200} {
		got := ask(t, "POST", url+"/unary", strings.NewReader("{}"), "Content-Encoding", encoding)
		if got.status != want {
			t.Errorf("%q is answered with %d, want %d", encoding, got.status, want)
		}
		if want == http.StatusUnsupportedMediaType {
			got.problem(t)
		}
	}
}

func TestHTTPProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"not found": {status.Error(codes.NotFound, "no horse"), 404, "NOT_FOUND"},
		"exhausted": {status.Error(codes.ResourceExhausted, "later"), 429, "RESOURCE_EXHAUSTED"},
		"cancelled": {status.Error(codes.Canceled, "gone"), 499, "CANCELLED"},
		"odd code":  {status.Error(codes.Code(77), "odd"), 500, "UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			f := newChain(t, testHandlers{
				unary:  func(context.Context, *message) (*message, error) { return nil, tc.err },
				stream: func(grpc.ServerStream) error { return tc.err },
			})
			url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})
			for _, got := range []answer{ask(t, "POST", url+"/unary", nil), ask(t, "GET", url+"/stream", nil)} {
				p := got.problem(t)
				if got.status != tc.status || p["code"] != tc.code || p["detail"] != status.Convert(tc.err).Message() {
					t.Errorf("answered %d %v", got.status, p)
				}
			}
		})
	}
}

func TestHTTPSpans(t *testing.T) {
	leakcheck.Check(t)
	spans := tracetest.NewSpanRecorder()
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, status.Error(codes.Internal, "") }}, recording(spans, always))
	got := ask(t, "POST", f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})+"/unary", nil, "Traceparent", parent01)
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans", len(ended))
	}
	call, request := ended[0], ended[1]
	if request.Parent().SpanID().String() != spanHex || call.Parent().SpanID() != request.SpanContext().SpanID() || got.header.Get(inbound.TraceHeader) != traceHex {
		t.Errorf("the call is below %v, the request below %v", call.Parent(), request.Parent())
	}
	want := attribute.NewSet(attribute.String("http.request.method", "POST"), attribute.String("http.route", "/unary"), attribute.String("url.scheme", "http"),
		attribute.Int("http.response.status_code", 500), attribute.String("error.type", "500"))
	if has := attribute.NewSet(request.Attributes()...); !has.Equals(&want) || request.Name() != "POST /unary" || request.Status().Code != otelcodes.Error {
		t.Errorf("the request is recorded as %s, %v, %v", request.Name(), request.Attributes(), request.Status())
	}
}

func TestHTTPLeaving(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})
	if got := ask(t, "POST", url+"/unary", nil); got.close {
		t.Error("the connection is closed before the service leaves")
	}
	f.Leave()
	if got := ask(t, "POST", url+"/unary", nil); !got.close || got.status != http.StatusOK {
		t.Errorf("the answer is %+v, want one with Connection: close", got)
	}
}
