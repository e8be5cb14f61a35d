package acceptance_test

import (
	"net/http"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// One call by REST goes through two processes as one trace of four spans, with less time at each.
func TestOneTraceThroughTwoServices(t *testing.T) {
	t.Parallel()
	spans := newCollector(t)
	env := []string{spans.env(), "OTEL_BSP_SCHEDULE_DELAY=100", "CHASSIS_LOG_LEVEL=DEBUG"}
	greeter := start(t, hello, env...)
	desk := start(t, frontdesk, append(env, "HOME="+greeter.home, "CHASSIS_HELLO_TARGET=dns:///"+greeter.grpc)...)

	got, err := fetch(newHTTPClient(t, nil), http.MethodGet, "http://"+desk.rest+"/v1/welcome/Ann", "")
	if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, "Hello, Ann! Your room is ready.") {
		t.Fatalf("status %d: %s: %v", got.status, got.body, err)
	}
	id := got.header.Get("Trace-Id")
	if len(id) != 32 {
		t.Fatalf("Trace-Id is %q", id)
	}
	desk.log.await(t, line("call", "trace_id", id, "method", "frontdesk.v1.FrontDeskService/Welcome"))
	called := greeter.log.await(t, line("call", "trace_id", id, "method", "hello.v1.HelloService/SayHello"))
	if peer := called.text("peer"); !strings.HasSuffix(peer, "/frontdesk") {
		t.Errorf("hello was called by %q, expected frontdesk", peer)
	}

	first := desk.log.await(t, line("welcoming", "trace_id", id)).number("seconds_left")
	second := greeter.log.await(t, line("greeting", "trace_id", id)).number("seconds_left")
	t.Logf("%v s left at frontdesk, %v at hello", first, second)
	if second <= 0 || second >= first || first > 1 {
		t.Errorf("%v left at frontdesk and %v at hello, expected less at each, and at most a second", first, second)
	}

	await(t, "the spans at the collector", func() bool { return len(spans.trace(id)) >= 4 })
	checkWay(t, spans.trace(id), []hop{
		{"GET /v1/welcome/{guest}", tracepb.Span_SPAN_KIND_SERVER},
		{"frontdesk.v1.FrontDeskService/Welcome", tracepb.Span_SPAN_KIND_SERVER},
		{"hello.v1.HelloService/SayHello", tracepb.Span_SPAN_KIND_CLIENT},
		{"hello.v1.HelloService/SayHello", tracepb.Span_SPAN_KIND_SERVER},
	})
}

type hop struct {
	name string
	kind tracepb.Span_SpanKind
}

// checkWay expects these spans, each below the one before it, and no other.
func checkWay(t *testing.T, spans []*tracepb.Span, way []hop) {
	t.Helper()
	if len(spans) != len(way) {
		t.Errorf("%d spans, expected %d: %v", len(spans), len(way), spans)
	}
	parent := ""
	for _, h := range way {
		span := find(spans, h)
		if span == nil {
			t.Fatalf("no span %v among %v", h, spans)
		}
		if string(span.GetParentSpanId()) != parent {
			t.Errorf("%v is not below the span before it", h)
		}
		parent = string(span.GetSpanId())
	}
}

func find(spans []*tracepb.Span, h hop) *tracepb.Span {
	for _, span := range spans {
		if span.GetName() == h.name && span.GetKind() == h.kind {
			return span
		}
	}
	return nil
}
