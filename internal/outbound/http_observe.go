package outbound

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"

	"github.com/betmakers/paddock/internal/catalog"
)

// endRequest records the end of the request, once, and frees the resources of its deadline.
func endRequest(c *httpClientCall, err error) {
	if c.ended.Swap(true) {
		return
	}
	elapsed := time.Since(c.start)
	disconnect(c, c.start.Add(elapsed))
	if c.within != nil {
		c.within.End(c.peer.component, c.start.Add(elapsed))
	}
	failed := ""
	switch {
	case err != nil:
		failed = kindOf(c.ctx, err)
	case c.status >= http.StatusBadRequest:
		failed = strconv.Itoa(knownStatus(c.status))
	}
	h := c.peer.metrics.of(catalog.HTTPMethod(c.request.Method), knownStatus(c.status), failed)
	if c.span == nil {
		h.Observe(elapsed.Seconds())
	} else {
		endRequestSpan(c, h, failed, elapsed)
	}
	if failed != "" {
		logRequest(c, failed, elapsed)
	}
	if c.cancel != nil {
		c.cancel()
	}
}

// endRequestSpan records elapsed with the trace as exemplar, and ends the span. It records
// neither the URL nor headers, because paths and queries of third parties often contain tokens.
func endRequestSpan(c *httpClientCall, h catalog.HistogramChild, failed string, elapsed time.Duration) {
	h.ObserveWithExemplar(elapsed.Seconds(), prometheus.Labels{"trace_id": c.sc.TraceID().String(), "span_id": c.sc.SpanID().String()})
	c.span.SetAttributes(
		attribute.String("http.request.method", catalog.HTTPMethod(c.request.Method)),
		attribute.String("server.address", c.peer.name),
	)
	if c.status != 0 {
		c.span.SetAttributes(attribute.Int("http.response.status_code", c.status))
	}
	if c.attempts > 1 {
		c.span.SetAttributes(attribute.Int("http.request.resend_count", c.attempts-1))
	}
	if failed != "" {
		c.span.SetAttributes(attribute.String("error.type", failed))
		c.span.SetStatus(otelcodes.Error, "")
	}
	c.span.End()
}

// logRequest logs a failure at debug level, because the maker of the request handles its result.
func logRequest(c *httpClientCall, failed string, elapsed time.Duration) {
	log := c.peer.client.cfg.Logger
	if log == nil || !log.Enabled(c.ctx, slog.LevelDebug) {
		return
	}
	log.LogAttrs(context.WithoutCancel(c.ctx), slog.LevelDebug, "request to a third party failed",
		slog.String("peer", c.peer.name), slog.String("http_method", catalog.HTTPMethod(c.request.Method)), slog.Int("status", c.status),
		slog.String("kind", failed), slog.Int("attempts", c.attempts), slog.Float64("duration_seconds", elapsed.Seconds()))
}

// knownStatus maps an unknown status to the first of its class, as RFC 9110, section 15, requires
// of clients. 0 stays 0.
func knownStatus(status int) int {
	switch {
	case status == 0 || http.StatusText(status) != "":
		return status
	case status >= 100 && status < 600:
		return status / 100 * 100
	default:
		return http.StatusInternalServerError
	}
}
