// Package telemetry provides a service's logger, tracer and metric registry, and delivers their
// data before the process ends.
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
// A record passes these steps:
//
//  1. Correlation adds trace_id, span_id and trace_flags at top level, whatever groups the logger
//     has open.
//  2. Redaction masks values under secret names and debug_redact fields of protobuf messages; see
//     package internal/redact. It replaces values whose method panics, times without a form in
//     JSON, and invalid UTF-8 by a text. A method that hangs or recurses without end cannot be
//     stopped.
//  3. Repeated keys get a number, so an attribute "msg" becomes "msg_2".
//  4. The fan-out, made with slog-multi, writes to standard output, to OTLP if an endpoint is
//     set, and to the handlers and sinks of the Config. A handler that fails or panics, and a
//     [Sink] that hangs, loses only its own records.
//
// Standard output has a buffer of 1 MiB, which one goroutine writes:
//
//   - Lines below WARN wait up to 10 ms to be written together. Lines of WARN do not wait. A
//     process that ends without Shutdown may lose both.
//   - A line of ERROR or above, with all lines before it, is on standard output when the log call
//     returns.
//   - If the reader stalls, lines are dropped and counted. One log call at ERROR waits 100 ms,
//     later ones do not wait until the reader has caught up.
//   - A line longer than 512 KiB is cut, the largest values first. Its trace_id stays.
//
// # Traces
//
// OTEL_EXPORTER_OTLP_ENDPOINT, its variants per signal and OTEL_{TRACES,LOGS}_EXPORTER select the
// destination of spans and logs. Without them there is no exporter and no connection. If a
// collector is down, slow or silent, spans and log records are dropped and counted; calls are not
// affected. OTEL_BSP_MAX_QUEUE_SIZE and OTEL_BLRP_MAX_QUEUE_SIZE (2048 each) bound memory.
// OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS apply. OTEL_SDK_DISABLED removes the exporters and
// keeps standard output and metrics.
//
// # Metrics
//
// The registry belongs to the service, so several services can share a process. It has the Go and
// process collectors of client_golang, chassis_build_info and similar facts and, through
// MeterProvider, the OpenTelemetry meters of libraries. [Catalogue] lists the metrics of the
// chassis; docs/metrics.md is generated from it.
//
// # No package-level state
//
// Nothing is installed in package otel: no tracer provider, no propagator, no error handler. For
// libraries that use only the global ones, the program's main can call otel.SetTracerProvider and
// similar functions.
package telemetry
