package telemetry

import (
	"context"
	"log/slog"

	"github.com/betmakers/paddock/internal/redact"
)

// redactor masks what package redact knows to be secret, and passes records without such attributes as they are. In
// records with the context of a call, the call's secrets are masked in plain text too.
type redactor struct {
	next slog.Handler
	hide bool // a group with a secret name is open, so everything in it is secret
}

func redaction(next slog.Handler) slog.Handler { return &redactor{next: next} }

func (h *redactor) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	texts := redact.TextsOf(ctx)
	if texts == nil && !h.concerns(r) {
		return h.next.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, texts.Hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(hidden(masked(a, h.hide), texts))
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &redactor{h.next.WithAttrs(maskedAll(attrs, h.hide)), h.hide}
}

func (h *redactor) WithGroup(name string) slog.Handler {
	return &redactor{h.next.WithGroup(name), h.hide || redact.Key(name)}
}

// concerns tells whether an attribute of r has to be looked into.
func (h *redactor) concerns(r slog.Record) (yes bool) {
	yes = h.hide
	r.Attrs(func(a slog.Attr) bool {
		yes = yes || suspicious(a)
		return !yes
	})
	return yes
}

func suspicious(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindAny, slog.KindLogValuer, slog.KindGroup:
		return true
	}
	return redact.Key(a.Key)
}

func maskedAll(attrs []slog.Attr, hide bool) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = masked(a, hide)
	}
	return out
}

func masked(a slog.Attr, hide bool) slog.Attr {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}): // stands for nothing, and must go on doing so
		return a
	case v.Kind() == slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(maskedAll(v.Group(), hide || redact.Key(a.Key))...)}
	case hide || redact.Key(a.Key):
		return slog.String(a.Key, redact.Mask)
	case v.Kind() == slog.KindAny:
		return slog.Attr{Key: a.Key, Value: slog.AnyValue(redact.Value(v.Any()))}
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// hidden masks secrets in the texts of an attribute that is masked by names already.
func hidden(a slog.Attr, texts *redact.Texts) slog.Attr {
	if texts == nil {
		return a
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(texts.Hide(a.Value.String()))
	case slog.KindAny:
		a.Value = slog.AnyValue(texts.HideIn(a.Value.Any()))
	case slog.KindGroup:
		group := make([]slog.Attr, len(a.Value.Group()))
		for i, inner := range a.Value.Group() {
			group[i] = hidden(inner, texts)
		}
		a.Value = slog.GroupValue(group...)
	}
	return a
}
