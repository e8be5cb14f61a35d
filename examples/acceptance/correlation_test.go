package acceptance_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// One call by REST leaves the same trace id everywhere.
func TestOneTraceIDForOneCall(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"started here":              "",
		"continued from the caller": "4bf92f3577b34da6a3ce929d0e0e4736",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := newCollector(t)
			p := start(t, testservice, spans.env(), "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_BLRP_SCHEDULE_DELAY=100")
			request, err := http.NewRequest(http.MethodGet, "http://"+p.rest+"/v1/hello/Ann", nil)
			if err != nil {
				t.Fatal(err)
			}
			if sent != "" {
				request.Header.Set("Traceparent", "00-"+sent+"-00f067aa0ba902b7-01")
			}
			got, err := do(newHTTPClient(t, nil), request)
			if err != nil || got.status != http.StatusOK {
				t.Fatalf("status %d, %v", got.status, err)
			}
			id := got.header.Get("Trace-Id")
			if len(id) != 32 || sent != "" && id != sent {
				t.Fatalf("Trace-Id is %q, expected %q", id, sent)
			}

			called := p.log.await(t, line("call", "trace_id", id, "method", "hello.v1.HelloService/SayHello", "protocol", "http"))
			p.log.await(t, line("handling", "trace_id", id, "span_id", called.text("span_id"))) // by the handler itself
			await(t, "the spans at the collector", func() bool { return len(spans.trace(id)) >= 2 })
			await(t, "the log records at the collector", func() bool { return spans.logged(id) >= 2 })
			checkSpans(t, spans.trace(id), called.text("span_id"))
			for _, metric := range []string{
				`rpc_server_call_duration_seconds_bucket{error_type="",rpc_method="hello.v1.HelloService/SayHello"`,
				`http_server_request_duration_seconds_bucket{error_type="",http_request_method="GET",http_response_status_code="200",http_route="/v1/hello/{name}"`,
			} {
				if !p.hasExemplar(metric, id) {
					t.Errorf("no exemplar with the trace at %s", metric)
				}
			}
		})
	}
}

// checkSpans expects the call's span below that of the HTTP request.
func checkSpans(t *testing.T, spans []*tracepb.Span, logged string) {
	t.Helper()
	byName := map[string]*tracepb.Span{}
	for _, span := range spans {
		byName[span.GetName()] = span
	}
	request, call := byName["GET /v1/hello/{name}"], byName["hello.v1.HelloService/SayHello"]
	if request == nil || call == nil {
		t.Fatalf("spans are %v", spans)
	}
	if string(call.GetParentSpanId()) != string(request.GetSpanId()) {
		t.Error("the call's span is not below that of the request")
	}
	if got := hex.EncodeToString(call.GetSpanId()); got != logged {
		t.Errorf("the log line has span %s, the collector %s", logged, got)
	}
}

// hasExemplar reports whether a series of /metrics, as OpenMetrics, has an exemplar of the trace.
func (p *process) hasExemplar(series, traceID string) bool {
	p.t.Helper()
	_, body, err := p.get("/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if err != nil {
		p.t.Fatal(err)
	}
	for text := range strings.Lines(body) {
		if strings.HasPrefix(text, series) && strings.Contains(text, `# {`) && strings.Contains(text, `trace_id="`+traceID+`"`) {
			return true
		}
	}
	return false
}
