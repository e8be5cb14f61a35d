// Package traceid makes the trace and span ids of a call, and hands them to the tracer where a span
// is started for it.
//
// A call has ids whether or not it is sampled: they stand in its log line and go to the services it
// calls. So they are made before the sampling decision, by [New], without the tracing SDK and
// without an allocation. Only for a sampled call is a span started, and the span must carry the ids
// already given. The context passed to the tracer's Start says so: it answers [Key] with an [IDs].
package traceid

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// Key is the context key under which the tracer looks for the ids of the span it starts. The value
// is a *[IDs].
type Key struct{}

// IDs are the ids of one span that is about to be started. The first span started under a context
// that holds them takes them, later ones (its children, other roots) get random ones, so a context
// may go on answering Key for the whole call. A call that starts no span of its own must not answer
// Key, or a span of its handler would take its ids.
type IDs struct {
	Trace trace.TraceID
	Span  trace.SpanID

	taken atomic.Bool
}

// With returns a context that carries ids to the next span started under it. Code that has a
// context type of its own answers Key instead, which saves the allocation.
func With(ctx context.Context, ids *IDs) context.Context { return context.WithValue(ctx, Key{}, ids) }

// Take returns the ids that ctx holds, at most once; ok is false where there are none or another
// span has them.
func Take(ctx context.Context) (id trace.TraceID, span trace.SpanID, ok bool) {
	ids, _ := ctx.Value(Key{}).(*IDs)
	if ids == nil || !ids.Trace.IsValid() || !ids.Span.IsValid() || ids.taken.Swap(true) {
		return id, span, false
	}
	return ids.Trace, ids.Span, true
}

// New returns random ids, neither of them zero. It does not allocate and may be called
// concurrently. The ids are unique, not secret: do not use them as a credential.
func New() (id trace.TraceID, span trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, NewSpan()
}

// NewSpan returns a random span id that is not zero, under the terms of [New].
func NewSpan() (span trace.SpanID) {
	for !span.IsValid() {
		binary.NativeEndian.PutUint64(span[:], rand.Uint64())
	}
	return span
}
