package inbound

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/traceid"
)

// beginTrace continues the caller's trace, or starts one.
func beginTrace(c *call) {
	t := &c.trace
	obs := c.method.server.obs
	var parent, link trace.SpanContext
	if c.http != nil {
		parent = c.http.trace.context()
	} else {
		parent, link = remoteParent(c, obs)
	}
	if c.method.Quiet {
		traceID, spanID := newIDs(parent)
		t.pass(obs, parent, traceID, spanID)
		return
	}
	t.start(c.values(), obs, parent, link, c.method.Name)
}

// endTrace finishes the span of a recorded call.
func endTrace(c *call, out outcome) {
	t := &c.trace
	if t.recorded == nil {
		return
	}
	t.recorded.SetAttributes(
		attribute.String("rpc.system.name", catalog.GRPC),
		attribute.String("rpc.method", c.method.Name),
		attribute.String("rpc.status_code", rpcstatus.Name(out.code)),
	)
	if reason := c.reason(); reason != "" {
		t.recorded.SetAttributes(attribute.String("chassis.rejected", string(reason)))
	}
	if kind := errorType(out.code); kind != "" {
		t.recorded.SetAttributes(attribute.String("error.type", kind))
		t.recorded.SetStatus(otelcodes.Error, logline.Truncate(out.message()))
	}
	t.recorded.End()
}

// remoteParent reads the caller's W3C trace context from the metadata of a gRPC call, and puts
// the caller's baggage into the call's context. The trace of an untrusted caller becomes a link,
// and its baggage is left out.
func remoteParent(c *call, obs *observer) (parent, link trace.SpanContext) {
	var traceparent, members string
	if !obs.cfg.IgnoreBaggage {
		members = list(metadata.ValueFromIncomingContext(c.parent, "baggage"))
	}
	if !obs.cfg.IgnoreTraceContext {
		traceparent = first(metadata.ValueFromIncomingContext(c.parent, "traceparent"))
	}
	if traceparent == "" && members == "" {
		return parent, link
	}
	believed := believes(c.parent, c.method.server)
	if members != "" && believed {
		c.rare.Store(&rareCall{baggage: withBaggage(c.stream.Context(), members)})
	}
	if traceparent == "" {
		return parent, link
	}
	return parentOrLink(believed, traceid.Parse(traceparent, list(metadata.ValueFromIncomingContext(c.parent, "tracestate"))))
}

// believes reports whether traceparent and baggage of the peer in ctx are trusted. An untrusted
// caller could get every call recorded, and could send baggage that other services trust. So a
// peer without a proven identity of the own trust domain gets a new trace, linked with its own,
// as OpenTelemetry defines it for public endpoints and W3C Trace Context allows it at a trust
// boundary. Where mutual TLS is off, all peers are trusted.
func believes(ctx context.Context, s *Server) bool {
	if s.cfg.ForeignTraces || s.trustDomain == "" {
		return true
	}
	id, secured := identityOf(authOf(ctx))
	if !secured {
		return s.cfg.PlainTraces
	}
	return contract.InDomain(id, s.trustDomain)
}

func parentOrLink(believed bool, caller trace.SpanContext) (parent, link trace.SpanContext) {
	if believed {
		return caller, link
	}
	return parent, caller
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// list joins several headers, because callers and proxies may split a list.
func list(values []string) string { return strings.Join(values, ",") }

// withBaggage returns ctx with the members of a W3C baggage header. It returns ctx itself if
// there are none or the header is malformed.
func withBaggage(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	bag, err := baggage.Parse(header)
	if err != nil {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// beginHTTPTrace is the same for an HTTP request.
func beginHTTPTrace(h *httpCall, r *http.Request) {
	t := &h.trace
	obs := h.server.obs
	conn := h.parent
	if members := list(r.Header["Baggage"]); members != "" && !obs.cfg.IgnoreBaggage && believes(conn, h.server) {
		h.parent = withBaggage(conn, members)
	}
	var parent, link trace.SpanContext
	if traceparent := r.Header.Get("Traceparent"); traceparent != "" && !obs.cfg.IgnoreTraceContext {
		parent, link = parentOrLink(believes(conn, h.server), traceid.Parse(traceparent, list(r.Header["Tracestate"])))
	}
	t.start(h.parent, obs, parent, link, "HTTP")
}
