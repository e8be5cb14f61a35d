package telemetry_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

func TestSpansHideSecrets(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		Service: "test", LogFormat: "json", Output: io.Discard, SpanProcessors: []sdktrace.SpanProcessor{spans},
		Getenv: func(name string) string { return map[string]string{"OTEL_TRACES_SAMPLER": "always_on"}[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(t.Context()) }()
	secret := []attribute.KeyValue{attribute.String("http.request.header.authorization", "open"), attribute.String("db.password", "hunter2"), attribute.Int("n", 7)}
	_, other := tel.Tracer("test").Start(t.Context(), "other")
	other.End()
	_, span := tel.Tracer("test").Start(t.Context(), "call", trace.WithAttributes(secret...),
		trace.WithLinks(trace.Link{SpanContext: other.SpanContext(), Attributes: secret}))
	span.AddEvent("event", trace.WithAttributes(secret...))
	span.End()
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans ended, want 2", len(ended))
	}
	for where, attributes := range map[string][]attribute.KeyValue{
		"attributes": ended[1].Attributes(), "event": ended[1].Events()[0].Attributes, "link": ended[1].Links()[0].Attributes,
	} {
		if text := fmt.Sprint(attributes); strings.Contains(text, "hunter2") || !strings.Contains(text, "[REDACTED]") || !strings.Contains(text, "7") {
			t.Errorf("%s: %s", where, text)
		}
	}
}
