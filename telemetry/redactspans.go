package telemetry

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/betmakers/paddock/internal/redact"
)

// redactSpans masks the attributes of spans, and of the events and links in them, that have a secret name.
func redactSpans(next sdktrace.SpanProcessor) sdktrace.SpanProcessor { return spanRedactor{next} }

type spanRedactor struct{ sdktrace.SpanProcessor }

func (r spanRedactor) OnEnd(s sdktrace.ReadOnlySpan) {
	if carriesSecrets(s) {
		s = redactedSpan{s}
	}
	r.SpanProcessor.OnEnd(s)
}

func carriesSecrets(s sdktrace.ReadOnlySpan) bool {
	return slices.ContainsFunc(s.Attributes(), isSecret) ||
		slices.ContainsFunc(s.Events(), func(e sdktrace.Event) bool { return slices.ContainsFunc(e.Attributes, isSecret) }) ||
		slices.ContainsFunc(s.Links(), func(l sdktrace.Link) bool { return slices.ContainsFunc(l.Attributes, isSecret) })
}

func isSecret(a attribute.KeyValue) bool { return redact.Key(string(a.Key)) }

// redactedSpan is a span that has ended, with its secrets masked.
type redactedSpan struct{ sdktrace.ReadOnlySpan }

func (s redactedSpan) Attributes() []attribute.KeyValue {
	return maskedAttributes(s.ReadOnlySpan.Attributes())
}

func (s redactedSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Attributes = maskedAttributes(events[i].Attributes)
	}
	return events
}

func (s redactedSpan) Links() []sdktrace.Link {
	links := slices.Clone(s.ReadOnlySpan.Links())
	for i := range links {
		links[i].Attributes = maskedAttributes(links[i].Attributes)
	}
	return links
}

func maskedAttributes(attributes []attribute.KeyValue) []attribute.KeyValue {
	out := slices.Clone(attributes)
	for i, a := range out {
		if isSecret(a) {
			out[i].Value = attribute.StringValue(redact.Mask)
		}
	}
	return out
}
