package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
)

// startAssembled returns the start function of what a careful team puts together from the usual
// parts: traces, metrics, one log line per call with its trace id, and recovery.
func startAssembled(more ...grpc.ServerOption) func(context.Context, setup) (string, error) {
	return func(_ context.Context, s setup) (string, error) { return serveAssembled(s, more) }
}

func serveAssembled(s setup, more []grpc.ServerOption) (string, error) {
	metrics := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	if err := prometheus.NewRegistry().Register(metrics); err != nil {
		return "", err
	}
	return serveGRPC(s, &echov1.EchoService_ServiceDesc, &echo{}, append(more,
		grpc.StatsHandler(otelgrpc.NewServerHandler(
			otelgrpc.WithTracerProvider(tracerProvider()),
			otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
		)),
		grpc.ChainUnaryInterceptor(
			metrics.UnaryServerInterceptor(),
			logging.UnaryServerInterceptor(logTo(slog.New(slog.NewJSONHandler(os.Stdout, nil))),
				logging.WithLogOnEvents(logging.FinishCall),
				logging.WithFieldsFromContext(traceFields)),
			recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(recovered)),
		),
	)...)
}

// tracerProvider samples one call in ten and drops the ended spans.
func tracerProvider() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.1))),
		sdktrace.WithSpanProcessor(dropSpans{}),
	)
}

// dropSpans is where the spans end: recording is paid for, exporting is not.
type dropSpans struct{}

func (dropSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropSpans) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropSpans) Shutdown(context.Context) error                  { return nil }
func (dropSpans) ForceFlush(context.Context) error                { return nil }

// logTo is the adapter of go-grpc-middleware's documentation.
func logTo(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		logger.Log(ctx, slog.Level(level), msg, fields...)
	})
}

func traceFields(ctx context.Context) logging.Fields {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return nil
	}
	return logging.Fields{"trace_id", span.TraceID().String(), "span_id", span.SpanID().String()}
}

func recovered(_ context.Context, p any) error {
	return status.Error(codes.Internal, fmt.Sprintf("panic: %v", p))
}
