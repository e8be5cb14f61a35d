package telemetry

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

const (
	keyTraceID    = "trace_id"
	keySpanID     = "span_id"
	keyTraceFlags = "trace_flags"
)

// correlate adds the ids of the context's span to a record, at top level whatever groups are
// open. The OpenTelemetry rules for JSON logs require that, and an attribute added to a record
// would be in the innermost group. It is the first handler of the pipeline and holds the level of
// all sinks.
type correlate struct {
	level slog.Leveler
	next  slog.Handler // has all of scope applied
	root  slog.Handler // has what came before the first group applied
	scope []step       // groups and attributes from the first group on
}

// step is one WithGroup or one WithAttrs.
type step struct {
	group string
	attrs []slog.Attr
}

func correlation(level slog.Leveler) func(slog.Handler) slog.Handler {
	return func(next slog.Handler) slog.Handler { return &correlate{level: level, next: next, root: next} }
}

func (h *correlate) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level.Level() && h.next.Enabled(ctx, l)
}

func (h *correlate) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.next.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(
		slog.String(keyTraceID, sc.TraceID().String()),
		slog.String(keySpanID, sc.SpanID().String()),
		slog.String(keyTraceFlags, sc.TraceFlags().String()),
	)
	if len(h.scope) > 0 {
		out.AddAttrs(h.nest(r)...)
		return h.root.Handle(ctx, out)
	}
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(a)
		return true
	})
	return h.next.Handle(ctx, out)
}

// nest returns the attributes of r inside the open groups.
func (h *correlate) nest(r slog.Record) []slog.Attr {
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	for _, s := range slices.Backward(h.scope) {
		if s.group != "" {
			attrs = []slog.Attr{{Key: s.group, Value: slog.GroupValue(attrs...)}}
		} else {
			attrs = slices.Concat(s.attrs, attrs)
		}
	}
	return attrs
}

func (h *correlate) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	if len(h.scope) == 0 {
		next := h.next.WithAttrs(attrs)
		return &correlate{level: h.level, next: next, root: next}
	}
	return h.with(h.next.WithAttrs(attrs), step{attrs: slices.Clone(attrs)})
}

func (h *correlate) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(h.next.WithGroup(name), step{group: name})
}

func (h *correlate) with(next slog.Handler, s step) *correlate {
	return &correlate{level: h.level, next: next, root: h.root, scope: append(slices.Clip(h.scope), s)}
}

// withoutIDs removes the ids for OTLP, whose records have their own fields for them.
type withoutIDs struct{ slog.Handler }

func (h withoutIDs) Handle(ctx context.Context, r slog.Record) error {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != keyTraceID && a.Key != keySpanID && a.Key != keyTraceFlags {
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h withoutIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withoutIDs{h.Handler.WithAttrs(attrs)}
}
func (h withoutIDs) WithGroup(name string) slog.Handler { return withoutIDs{h.Handler.WithGroup(name)} }
