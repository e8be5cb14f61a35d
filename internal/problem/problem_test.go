package problem_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/problem"
)

func ExampleNew() {
	w := httptest.NewRecorder()
	problem.New(http.StatusNotFound, "NOT_FOUND", "no horse 7", trace.SpanContext{}).Write(w)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 404 application/problem+json
	// {"title":"Not Found","status":404,"detail":"no horse 7","code":"NOT_FOUND"}
}

func TestTitle(t *testing.T) {
	for status, want := range map[int]string{200: "OK", 499: "Client Closed Request", 504: "Gateway Timeout", 799: ""} {
		if got := problem.New(status, "", "", trace.SpanContext{}); got.Title != want || got.Status != status {
			t.Errorf("%d is titled %q with status %d, want %q", status, got.Title, got.Status, want)
		}
	}
}

func TestTraceID(t *testing.T) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	if got := problem.New(500, "", "", sc).TraceID; got != "01000000000000000000000000000000" {
		t.Errorf("TraceID = %q", got)
	}
	if got := problem.New(500, "", "", trace.SpanContext{}).TraceID; got != "" {
		t.Errorf("TraceID without a trace = %q", got)
	}
}

// What a caller sent may be repeated to it, and must arrive as the same text and as nothing else.
func TestHostileDetail(t *testing.T) {
	for _, detail := range []string{`"}{"`, "\x00\n\x1b[31m", "<script>", "日本語", "\u2028"} {
		w := httptest.NewRecorder()
		problem.New(http.StatusBadRequest, "", detail, trace.SpanContext{}).Write(w)
		var p problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Detail != detail {
			t.Errorf("%q arrives as %q, %v", detail, p.Detail, err)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Errorf("the header is %v of %d bytes", w.Header(), w.Body.Len())
		}
	}
}
