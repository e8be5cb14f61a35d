package traceid_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/traceid"
)

func TestNewIsValidAndNeverRepeats(t *testing.T) {
	traces, spans := map[trace.TraceID]bool{}, map[trace.SpanID]bool{}
	for range 10_000 {
		id, span := traceid.New()
		if !id.IsValid() || !span.IsValid() {
			t.Fatalf("New() = %s, %s: a zero id", id, span)
		}
		if traces[id] || spans[span] {
			t.Fatalf("New() = %s, %s: repeated", id, span)
		}
		traces[id], spans[span] = true, true
	}
}

func TestNewDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { traceid.New() }); n != 0 {
		t.Errorf("New allocates %v times, want 0", n)
	}
}

func TestTakeGivesIDsToOneSpanOnly(t *testing.T) {
	ids := &traceid.IDs{}
	ids.Trace, ids.Span = traceid.New()
	ctx := traceid.With(context.Background(), ids)

	var took atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if id, span, ok := traceid.Take(ctx); ok {
				took.Add(1)
				if id != ids.Trace || span != ids.Span {
					t.Errorf("Take() = %s, %s, want %s, %s", id, span, ids.Trace, ids.Span)
				}
			}
		})
	}
	all.Wait()
	if took.Load() != 1 {
		t.Errorf("%d spans took the ids, want 1", took.Load())
	}
}

func TestTakeWithoutIDs(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"no value": context.Background(),
		"nil":      traceid.With(context.Background(), nil),
		"zero ids": traceid.With(context.Background(), &traceid.IDs{}),
	} {
		if _, _, ok := traceid.Take(ctx); ok {
			t.Errorf("%s: Take found ids", name)
		}
	}
}
