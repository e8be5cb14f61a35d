package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// distinct makes the keys of a record unique, because many JSON readers keep only one of two
// members with the same key. A key that exists already gets a number: a second "bet" becomes
// "bet_2". The keys of the chassis at top level exist before any other, so an attribute "msg"
// becomes "msg_2".
type distinct struct {
	next  slog.Handler
	top   bool // no group is open
	taken keys // of the innermost open group; never changed
}

func distinction(next slog.Handler) slog.Handler {
	taken := keys{}
	for _, key := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey, keyTraceID, keySpanID, keyTraceFlags} {
		taken[key] = 1
	}
	return &distinct{next, true, taken}
}

func (h *distinct) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *distinct) Handle(ctx context.Context, r slog.Record) error {
	var space [16]slog.Attr
	attrs := space[:0]
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	own := 0
	if h.top && trace.SpanContextFromContext(ctx).IsValid() {
		own = 3 // correlate puts the ids first
	}
	if h.taken.freeFor(attrs[own:]) {
		return h.next.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(attrs[:own]...)
	out.AddAttrs(maps.Clone(h.taken).numberAll(attrs[own:])...)
	return h.next.Handle(ctx, out)
}

func (h *distinct) WithAttrs(attrs []slog.Attr) slog.Handler {
	taken := maps.Clone(h.taken)
	return &distinct{h.next.WithAttrs(taken.numberAll(attrs)), h.top, taken}
}

func (h *distinct) WithGroup(name string) slog.Handler {
	return &distinct{h.next.WithGroup(maps.Clone(h.taken).number(name)), false, keys{}}
}

// keys are the keys of one level, each with its highest number.
type keys map[string]int

// freeFor reports whether all keys of attrs are unused.
func (k keys) freeFor(attrs []slog.Attr) bool {
	if len(attrs) > 16 {
		return false // not worth comparing each with each
	}
	for i, a := range attrs {
		if k[a.Key] > 0 || a.Value.Kind() == slog.KindGroup {
			return false
		}
		for _, b := range attrs[:i] {
			if a.Key == b.Key {
				return false
			}
		}
	}
	return true
}

// number reserves key, or key with the first free number.
func (k keys) number(key string) string {
	n := k[key]
	if n == 0 {
		k[key] = 1
		return key
	}
	for {
		n++
		if numbered := key + "_" + strconv.Itoa(n); k[numbered] == 0 {
			k[key], k[numbered] = n, 1
			return numbered
		}
	}
}

// numberAll reserves the keys of attrs. Members of a group without a key belong to this level,
// members of another group to its own.
func (k keys) numberAll(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		switch {
		case a.Equal(slog.Attr{}):
		case a.Value.Kind() != slog.KindGroup:
			a.Key = k.number(a.Key)
		case a.Key == "":
			a.Value = slog.GroupValue(k.numberAll(a.Value.Group())...)
		case len(a.Value.Group()) > 0: // an empty group is not written
			a.Key, a.Value = k.number(a.Key), slog.GroupValue(keys{}.numberAll(a.Value.Group())...)
		}
		out[i] = a
	}
	return out
}
