package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// collector is an OTLP/HTTP server that keeps what it gets.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string][]byte // by path
}

func newCollector(t *testing.T) *collector {
	c := &collector{bodies: map[string][]byte{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies[r.URL.Path] = append(c.bodies[r.URL.Path], body...)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) got(path string, part []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.bodies[path], part)
}

// export starts telemetry under the process's own environment, which the exporters read, with an
// endpoint in it.
func export(t *testing.T, endpoint string, cfg telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
	t.Setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "100")
	cfg.Getenv = nil
	cfg.Service, cfg.LogFormat = "wallet", "json"
	if cfg.Output == nil {
		cfg.Output = &buffer{}
	}
	tel, err := telemetry.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = tel.Shutdown(ctx) // whatever is left is of no interest
	})
	return tel
}

func traceSomething(tel *telemetry.Telemetry, n int) (id trace.TraceID) {
	for range n {
		ctx, span := tel.Tracer("test").Start(context.Background(), "work")
		tel.Logger().InfoContext(ctx, "at work", "password", canary)
		span.End()
		id = span.SpanContext().TraceID()
	}
	return id
}

func TestCollectorGetsSpansAndLogs(t *testing.T) {
	for name, deliver := range map[string]func(*telemetry.Telemetry, context.Context) error{
		"by Flush": (*telemetry.Telemetry).Flush, "by Shutdown": (*telemetry.Telemetry).Shutdown,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=from-environment,team=blue")
			tel := export(t, c.URL, telemetry.Config{Version: "from-config", Environment: "staging", InstanceID: "pod-7"})
			id := traceSomething(tel, 1)
			if err := deliver(tel, t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/v1/traces", "/v1/logs"} {
				for _, want := range []string{string(id[:]), "wallet", "from-environment", "team", "staging", "pod-7"} {
					if !c.got(path, []byte(want)) {
						t.Errorf("%s lacks %q", path, want)
					}
				}
				for _, bad := range []string{canary, "from-config", "span_id"} {
					if c.got(path, []byte(bad)) {
						t.Errorf("%s has %q", path, bad)
					}
				}
			}
			if n := sample(t, tel, "chassis_spans_exported_total"); n != 1 {
				t.Errorf("chassis_spans_exported_total = %v, want 1", n)
			}
		})
	}
}

// The queues hold 100; what was sent must make room.
func TestQueuesAreEmptiedByExports(t *testing.T) {
	tel := export(t, newCollector(t).URL, telemetry.Config{})
	for range 5 {
		traceSomething(tel, 60)
		flush(t, tel)
	}
	if n := sample(t, tel, "chassis_spans_exported_total"); n != 300 {
		t.Errorf("%v spans exported, want 300", n)
	}
	if n := dropped(t, tel, "otlp"); n != 0 {
		t.Errorf("%d log records dropped, want none", n)
	}
}

func TestWhatIsExported(t *testing.T) {
	for name, test := range map[string]struct {
		env          map[string]string // URL stands for the collector's
		traces, logs bool
	}{
		"nothing set":         {},
		"endpoint":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, true, true},
		"traces only":         {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/v1/traces"}, true, false},
		"logs only":           {map[string]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "URL/v1/logs"}, false, true},
		"no traces":           {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none"}, false, true},
		"disabled":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "TRUE"}, false, false},
		"disabled wins":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, false, false},
		"not really disabled": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "yes"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			for k, v := range test.env {
				t.Setenv(k, strings.Replace(v, "URL", c.URL, 1))
			}
			out := &buffer{}
			tel, err := telemetry.Start(t.Context(), telemetry.Config{Service: "s", LogFormat: "json", Output: out})
			if err != nil {
				t.Fatal(err)
			}
			traceSomething(tel, 1)
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := c.got("/v1/traces", []byte("work")); got != test.traces {
				t.Errorf("traces exported: %t, want %t", got, test.traces)
			}
			if got := c.got("/v1/logs", []byte("at work")); got != test.logs || (tel.Sinks() != nil) != test.logs {
				t.Errorf("logs exported: %t, Sinks: %v, want %t", got, tel.Sinks(), test.logs)
			}
			if !strings.Contains(out.String(), "at work") {
				t.Error("nothing on standard output")
			}
		})
	}
}

// blackHole accepts connections and never answers.
func blackHole(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return "http://" + l.Addr().String()
}

// closedPort is where nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// slow answers, but not before the test ends.
func slow(t *testing.T) string {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(release); s.Close() })
	return s.URL
}

func refusing(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestBrokenCollectorCostsTelemetryAndNothingElse(t *testing.T) {
	for name, endpoint := range map[string]func(*testing.T) string{
		"black hole": blackHole, "closed port": closedPort, "slow": slow, "refusing": refusing,
	} {
		for _, protocol := range []string{"http/protobuf", "grpc"} {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
				out := &buffer{}
				tel := export(t, endpoint(t), telemetry.Config{Output: out})
				const spans = 1000
				traceSomething(tel, spans) // would not return if it blocked

				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				err := tel.Shutdown(ctx)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Shutdown = %v, want the exports cut before its deadline, to leave time for the rest", err)
				}
				if n := strings.Count(out.String(), "at work"); n != spans {
					t.Errorf("%d lines on standard output, want %d", n, spans)
				}
				if !strings.Contains(out.String(), "telemetry not exported") {
					t.Error("the log does not tell of the loss")
				}
				full := sample(t, tel, `chassis_spans_dropped_total{reason="queue_full"}`)
				failed := sample(t, tel, `chassis_spans_dropped_total{reason="export_failed"}`)
				if full+failed != spans || full == 0 || failed == 0 {
					t.Errorf("%v spans found the queue full, %v failed, want %d together", full, failed, spans)
				}
				// The log has the complaints too, which go to standard output alone.
				if n := dropped(t, tel, "otlp"); n != spans {
					t.Errorf("%d log records counted as dropped, want %d", n, spans)
				}
				if n := sample(t, tel, "chassis_spans_exported_total"); n != 0 {
					t.Errorf("%v spans counted as exported, want 0", n)
				}
			})
		}
	}
}

// The SDK's own goroutines would hang on for 30 s a batch.
func TestShutdownLeavesNoGoroutineBehind(t *testing.T) {
	tel := export(t, blackHole(t), telemetry.Config{})
	traceSomething(tel, 1000)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("Shutdown = nil, want an error that tells of the loss")
	}
	stacks := make([]byte, 1<<20)
	for range 1000 { // those that are told to end need a moment
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "batchSpanProcessor") && !strings.Contains(all, "BatchProcessor") && !strings.Contains(all, "lineWriter") {
			return
		}
		time.Sleep(10 * time.Millisecond) // bounded, and beside connections of OTLP, which no bubble has
	}
	t.Errorf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
}

func TestCollectorThatComesBack(t *testing.T) {
	c := newCollector(t)
	var down sync.Mutex // held while the collector refuses
	refuse := true
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		down.Lock()
		defer down.Unlock()
		if refuse {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		c.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	out := &buffer{}
	tel := export(t, front.URL, telemetry.Config{Output: out})
	for range 3 { // told once
		traceSomething(tel, 1)
		flush(t, tel)
	}
	down.Lock()
	refuse = false
	down.Unlock()
	traceSomething(tel, 1)
	flush(t, tel)
	if n := sample(t, tel, "chassis_spans_exported_total"); n != 1 {
		t.Errorf("%v spans exported, want 1", n)
	}
	for _, want := range []string{"telemetry not exported", "telemetry is exported again"} {
		if n := strings.Count(out.String(), want); n != 2 {
			t.Errorf("%d lines say %q, want one for each signal", n, want)
		}
	}
}

func TestFlushGivesUpWithItsContext(t *testing.T) {
	tel := export(t, blackHole(t), telemetry.Config{})
	traceSomething(tel, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if err := tel.Flush(ctx); err == nil || !strings.Contains(err.Error(), "spans were not all handed over: no time") {
		t.Errorf("Flush = %v, want an error that names the spans and the cause", err)
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  telemetry.Config
		env  map[string]string
		want []string
	}{
		"empty":         {telemetry.Config{}, nil, []string{"Config.Service", `log format is "", expected "json" or "text"`}},
		"no scheme":     {telemetry.Config{}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT is "localhost:4318"`, "http://localhost:4318"}},
		"address":       {telemetry.Config{}, map[string]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "10.0.0.1:4318"}, []string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"}},
		"exporter":      {telemetry.Config{}, map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, []string{"OTEL_TRACES_EXPORTER", "zipkin"}},
		"both protocol": {telemetry.Config{}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "thrift"}, []string{"OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER", "protocol"}},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			tel, err := telemetry.Start(t.Context(), test.cfg)
			if err == nil || tel != nil {
				t.Fatalf("Start = %v, %v, want an error alone", tel, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestExtraLogHandlersGetWhatTheCollectorGets(t *testing.T) {
	c, extra := newCollector(t), &buffer{}
	tel := export(t, c.URL, telemetry.Config{LogHandlers: []slog.Handler{slog.NewJSONHandler(extra, nil)}})
	tel.Sinks().Info("beside standard output")
	flush(t, tel)
	if !c.got("/v1/logs", []byte("beside standard output")) || !strings.Contains(extra.String(), "beside standard output") {
		t.Error("a sink has not got the record")
	}
}
