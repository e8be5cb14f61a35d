package telemetry

import (
	"slices"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/betmakers/paddock/internal/redact"
)

// redactSpans masks attributes of spans, events and links that have a secret name. It replaces
// invalid UTF-8, for which a collector would reject the whole batch.
func redactSpans(next sdktrace.SpanProcessor) sdktrace.SpanProcessor { return spanRedactor{next} }

type spanRedactor struct{ sdktrace.SpanProcessor }

func (r spanRedactor) OnEnd(s sdktrace.ReadOnlySpan) {
	if concernsSpan(s) {
		s = redactedSpan{s}
	}
	r.SpanProcessor.OnEnd(s)
}

func concernsSpan(s sdktrace.ReadOnlySpan) bool {
	return !utf8.ValidString(s.Name()) || !utf8.ValidString(s.Status().Description) ||
		slices.ContainsFunc(s.Attributes(), concernsAttribute) ||
		slices.ContainsFunc(s.Events(), func(e sdktrace.Event) bool {
			return !utf8.ValidString(e.Name) || slices.ContainsFunc(e.Attributes, concernsAttribute)
		}) ||
		slices.ContainsFunc(s.Links(), func(l sdktrace.Link) bool { return slices.ContainsFunc(l.Attributes, concernsAttribute) })
}

func concernsAttribute(a attribute.KeyValue) bool {
	return redact.SecretName(string(a.Key)) || !utf8.ValidString(string(a.Key)) || !validValue(a.Value)
}

func validValue(v attribute.Value) bool {
	switch v.Type() {
	case attribute.STRING:
		return utf8.ValidString(v.AsString())
	case attribute.STRINGSLICE:
		return !slices.ContainsFunc(v.AsStringSlice(), func(s string) bool { return !utf8.ValidString(s) })
	case attribute.SLICE:
		return !slices.ContainsFunc(v.AsSlice(), func(v attribute.Value) bool { return !validValue(v) })
	case attribute.MAP:
		return !slices.ContainsFunc(v.AsMap(), concernsAttribute)
	}
	return true
}

// redactedSpan is an ended span with its secrets masked.
type redactedSpan struct{ sdktrace.ReadOnlySpan }

func (s redactedSpan) Name() string { return redact.Valid(s.ReadOnlySpan.Name()) }

func (s redactedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = redact.Valid(status.Description)
	return status
}

func (s redactedSpan) Attributes() []attribute.KeyValue {
	return maskedAttributes(s.ReadOnlySpan.Attributes())
}

func (s redactedSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Name = redact.Valid(events[i].Name)
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
		out[i].Key = attribute.Key(redact.Valid(string(a.Key)))
		if redact.SecretName(string(a.Key)) {
			out[i].Value = attribute.StringValue(redact.Mask)
		} else {
			out[i].Value = maskedValue(a.Value)
		}
	}
	return out
}

func maskedValue(v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(redact.Valid(v.AsString()))
	case attribute.STRINGSLICE:
		texts := v.AsStringSlice()
		for i := range texts {
			texts[i] = redact.Valid(texts[i])
		}
		return attribute.StringSliceValue(texts)
	case attribute.SLICE:
		values := v.AsSlice()
		for i := range values {
			values[i] = maskedValue(values[i])
		}
		return attribute.SliceValue(values...)
	case attribute.MAP:
		return attribute.MapValue(maskedAttributes(v.AsMap())...)
	}
	return v
}
