package telemetry

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/betmakers/paddock/internal/redact"
)

// redactor masks the attributes that package redact considers secret, and passes other records
// unchanged. The service's own messages and plain texts are not changed.
type redactor struct {
	next slog.Handler
	hide bool // a group with a secret name is open, so everything in it is secret
}

func redaction(next slog.Handler) slog.Handler { return &redactor{next: next} }

func (h *redactor) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	if !h.concerns(r) {
		return h.next.Handle(ctx, r)
	}
	out := slog.NewRecord(expressible(r.Time), r.Level, redact.Valid(r.Message), r.PC)
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	return h.finish(ctx, out, attrs)
}

// finish adds attrs to a record and passes it on. The methods of values are called here. Sinks
// call only methods that have worked here. If a value ends the goroutine (runtime.Goexit), only
// this value is lost, because the line is written in a deferred call.
func (h *redactor) finish(ctx context.Context, out slog.Record, attrs []slog.Attr) (err error) {
	i := 0
	defer func() {
		if i < len(attrs) {
			_ = recover() // nil where the goroutine ends
			out.AddAttrs(slog.String(redact.Valid(attrs[i].Key), "[unreadable]"))
			err = h.finish(ctx, out, attrs[i+1:])
		}
	}()
	m := masker{left: mostValues}
	for ; i < len(attrs); i++ {
		out.AddAttrs(m.masked(attrs[i], h.hide, mostGroups))
	}
	return h.next.Handle(ctx, out)
}

func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	m := masker{left: mostValues}
	return &redactor{h.next.WithAttrs(m.all(attrs, h.hide, mostGroups)), h.hide}
}

func (h *redactor) WithGroup(name string) slog.Handler {
	return &redactor{h.next.WithGroup(redact.Valid(name)), h.hide || redact.SecretName(name)}
}

// concerns reports whether a record may have secrets.
func (h *redactor) concerns(r slog.Record) (yes bool) {
	yes = h.hide || !utf8.ValidString(r.Message) || !inRange(r.Time)
	r.Attrs(func(a slog.Attr) bool {
		yes = yes || suspicious(a)
		return !yes
	})
	return yes
}

func suspicious(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindAny, slog.KindLogValuer, slog.KindGroup, slog.KindFloat64:
		return true
	case slog.KindTime:
		if !inRange(a.Value.Time()) {
			return true
		}
	case slog.KindString:
		if !utf8.ValidString(a.Value.String()) {
			return true
		}
	}
	return redact.SecretName(a.Key) || !utf8.ValidString(a.Key)
}

// expressible returns t, or now if JSON has no form for t, because each line needs a time.
func expressible(t time.Time) time.Time {
	if inRange(t) {
		return t
	}
	return time.Now()
}

// inRange reports whether JSON has a form for t.
func inRange(t time.Time) bool { return 0 <= t.Year() && t.Year() <= 9999 }

const (
	mostGroups = 24     // within each other
	mostValues = 10_000 // in a record: a LogValuer may hold itself, twice
)

// masker prepares the attributes of one record so that every sink can handle them.
type masker struct{ left int }

func (m *masker) all(attrs []slog.Attr, hide bool, depth int) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = m.masked(a, hide, depth)
	}
	return out
}

func (m *masker) masked(a slog.Attr, hide bool, depth int) slog.Attr {
	if a.Equal(slog.Attr{}) { // stands for nothing, and must go on doing so
		return a
	}
	key := redact.Valid(a.Key)
	if m.left--; depth == 0 || m.left < 0 && compound(a.Value) {
		return slog.String(key, "[cut]")
	}
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		return slog.Attr{Key: key, Value: slog.GroupValue(m.all(v.Group(), hide || redact.SecretName(a.Key), depth-1)...)}
	case hide || redact.SecretName(a.Key):
		return slog.String(key, redact.Mask)
	}
	return slog.Attr{Key: key, Value: plain(v)}
}

func compound(v slog.Value) bool {
	return v.Kind() == slog.KindLogValuer || v.Kind() == slog.KindGroup || v.Kind() == slog.KindAny
}

// plain returns a value whose methods cannot fail. Errors are kept, because they have worked
// once.
func plain(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindAny:
		return slog.AnyValue(redact.Value(v.Any()))
	case slog.KindString:
		return slog.StringValue(redact.Valid(v.String()))
	case slog.KindTime:
		if t := v.Time(); !inRange(t) {
			return slog.StringValue(redact.Time(t))
		}
	case slog.KindFloat64:
		if f := v.Float64(); math.IsNaN(f) || math.IsInf(f, 0) {
			return slog.StringValue(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return v
}
