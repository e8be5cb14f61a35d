// Package telemetry gives a service its logger, its tracer and its metric registry, and brings everything they
// collected out of the process before it ends.
//
//	tel, err := telemetry.Start(ctx, telemetry.Config{Service: "wallet", LogFormat: "json"})
//	if err != nil {
//		return err
//	}
//	defer tel.Shutdown(ctx)
//	tel.Logger().InfoContext(ctx, "bet placed", "bet", id)
//
// # Logs
//
// A record passes trace correlation, redaction and a fan-out. Correlation puts trace_id, span_id and trace_flags at
// top level, whatever groups the logger has open. A key that a record has already gets a number, so that an attribute "msg"
// becomes "msg_2". A value whose method panics, a time that JSON cannot hold, and text that is no UTF-8 are replaced by a text;
// a value whose method hangs, or recurses without end, cannot be helped. Redaction masks values under secret names and debug_redact fields of
// protobuf messages, as package internal/redact tells. The fan-out writes to standard output, to OTLP where an
// endpoint is set, and to the handlers and sinks of the Config. slog-multi composes it; a handler that fails or panics
// costs its own record, and a [Sink] that hangs does so too.
//
// Standard output goes through a bounded buffer (1 MiB of lines) that one goroutine empties. Lines below WARN wait up to
// 10 ms for company, those of WARN do not, and a process that ends without Shutdown may lose both. A line of ERROR or above
// is on standard output, with all before it, when the log call returns. A reader that stalls costs lines, which are counted,
// and 100 ms of one log call at ERROR, none of the later ones before it has caught up. A line longer than 512 KiB is cut, the
// largest values first; its trace_id stays.
//
// # Traces
//
// OTEL_EXPORTER_OTLP_ENDPOINT, its variants per signal and OTEL_{TRACES,LOGS}_EXPORTER choose where spans and logs go;
// without any of them there is no exporter and nothing is dialled. A collector that is down, slow or silent costs spans
// and log records, which are counted, and never a call; memory is bounded by OTEL_BSP_MAX_QUEUE_SIZE and
// OTEL_BLRP_MAX_QUEUE_SIZE (2048 each). OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS are honoured, and OTEL_SDK_DISABLED
// takes the exporters away and leaves standard output and metrics.
//
// # Metrics
//
// The registry is the service's own, so several services can share a process. It holds the Go and process collectors
// of client_golang, what is running (chassis_build_info and others) and, through MeterProvider, the OpenTelemetry
// meters of libraries. [Catalogue] lists the metrics of the chassis; docs/metrics.md is made from the same list.
//
// # No package-level state
//
// Nothing is installed in package otel: no tracer provider, no propagator, no error handler. Libraries that know only
// the global ones need otel.SetTracerProvider and its like, which is for the program's main to call.
package telemetry
