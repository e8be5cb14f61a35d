package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// beginnings are the times from the arrivals of calls to the beginnings of their handlers, with
// what the chassis does in between. A call arrives when its span begins: the service must record
// all of them.
type beginnings struct {
	mu    sync.Mutex
	calls int
	total time.Duration
	most  time.Duration
}

func (b *beginnings) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if span, ok := trace.SpanFromContext(ctx).(sdktrace.ReadOnlySpan); ok {
		b.add(time.Since(span.StartTime()))
	}
	return handler(ctx, req)
}

func (b *beginnings) add(after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.total += after
	b.most = max(b.most, after)
}

func (b *beginnings) metrics() []prometheus.Collector {
	gauge := func(name, help string, of func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			b.mu.Lock()
			defer b.mu.Unlock()
			return of()
		})
	}
	return []prometheus.Collector{
		gauge(metricHandlers, "Handlers that began.", func() float64 { return float64(b.calls) }),
		gauge(metricBefore, "Time before they began, all together.", func() float64 { return b.total.Seconds() }),
		gauge(metricMostBefore, "The longest.", func() float64 { return b.most.Seconds() }),
	}
}
