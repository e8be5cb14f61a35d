package outbound

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/served"
)

// unary is the pass of a unary call. Nothing of it outlives the call, so it allocates no object.
func (p *peerCalls) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	call := clientCall{method: p.lookup(method), start: time.Now()}
	ctx, err := call.begin(ctx)
	switch {
	case err != nil:
	case call.method.hedgeAfter > 0:
		err = hedged(ctx, call.method, reply, opts, func(ctx context.Context, reply any, opts []grpc.CallOption) error {
			return invoke(ctx, method, req, reply, cc, opts...)
		})
	default:
		err = invoke(ctx, method, req, reply, cc, opts...)
	}
	call.end(ctx, err)
	return p.client.decode(err)
}

// stream is the pass of every other call. gRPC reports the end of a stream once, however it ends:
// read to its end, failed, cancelled, or cut by the end of the connection. So no goroutine has to
// watch it.
func (p *peerCalls) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	call := &clientStreamCall{clientCall: clientCall{method: p.lookup(method), start: time.Now()}}
	var err error
	var stream grpc.ClientStream
	if call.ctx, err = call.begin(ctx); err == nil {
		stream, err = open(call.ctx, desc, cc, method, append(slices.Clip(opts), grpc.OnFinish(call.finish))...)
	}
	if err != nil {
		call.finish(err) // the budget, or an interceptor further inside, may have refused it
		return nil, p.client.decode(err)
	}
	if p.client.cfg.Decode == nil {
		return stream, nil
	}
	return &decodingStream{stream, p.client.decode}, nil
}

func (c *clientStreamCall) finish(err error) {
	if !c.ended.Swap(true) {
		c.end(c.ctx, err)
	}
}

// begin returns the context for the transport: with the call's span if it is recorded, with the
// headers, and with the deadline. With an error the call must not be made.
func (c *clientCall) begin(ctx context.Context) (context.Context, error) {
	c.method.fromZero()
	within := served.From(ctx)
	if c.within = within; within != nil {
		within.Begin(c.method.peer.component, c.start)
	}
	ctx, sc := startCallSpan(ctx, c)
	ctx, err := limit(ctx, c, within)
	if err != nil {
		return ctx, err
	}
	return inject(ctx, &c.method.peer.client.cfg, sc, within), nil
}

func (c *clientCall) end(ctx context.Context, err error) {
	elapsed := time.Since(c.start)
	if c.within != nil {
		c.within.End(c.method.peer.component, c.start.Add(elapsed))
	}
	if c.cancel != nil {
		c.cancel()
	}
	code := codes.OK
	if err != nil {
		code = rpcstatus.Known(status.Code(err))
	}
	h := c.method.duration(code)
	if c.span == nil {
		h.Observe(elapsed.Seconds())
	} else {
		c.endSpan(h, code, err, elapsed)
	}
	if code != codes.OK {
		c.log(ctx, code, err, elapsed)
	}
}

// endSpan records elapsed with the trace as exemplar, and ends the span. For a client every code
// but OK is an error. Its message is another service's and may quote the request, so it is
// truncated.
func (c *clientCall) endSpan(h catalog.HistogramChild, code codes.Code, err error, elapsed time.Duration) {
	sc := c.span.SpanContext()
	h.ObserveWithExemplar(elapsed.Seconds(), prometheus.Labels{"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String()})
	c.span.SetAttributes(
		attribute.String("rpc.system.name", catalog.GRPC),
		attribute.String("rpc.method", c.method.name),
		attribute.String("server.address", c.method.peer.name),
		attribute.String("rpc.status_code", rpcstatus.Name(code)),
	)
	if code != codes.OK {
		c.span.SetAttributes(attribute.String("error.type", rpcstatus.Name(code)))
		c.span.SetStatus(otelcodes.Error, logline.Truncate(status.Convert(err).Message()))
	}
	c.span.End()
}

// log logs a failure at debug level, because the maker of the call handles its result.
func (c *clientCall) log(ctx context.Context, code codes.Code, err error, elapsed time.Duration) {
	log := c.method.peer.client.cfg.Logger
	if log == nil || !log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	log.LogAttrs(ctx, slog.LevelDebug, "call of another service failed",
		slog.String("peer", c.method.peer.name), slog.String("method", c.method.name), slog.String("code", rpcstatus.Name(code)),
		slog.Float64("duration_seconds", elapsed.Seconds()), slog.String("error", err.Error()))
}
