package inbound

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/logline"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// The access log has one line for each finished call. A JSON line is written directly into a
// pooled buffer, after a prefix prepared at registration, at a tenth of the cost of a slog
// record. slog serves the other sinks and formats.

// logCall writes the line of a finished call.
func logCall(c *call, out outcome, elapsed time.Duration) {
	cfg := &c.method.server.cfg
	if !cfg.Requests.wants(out.code) || c.method.Quiet && out.code == codes.OK {
		return
	}
	if c.reason() == ReasonUnaudited {
		more, ok := c.method.server.unaudited.Allow("", time.Now())
		if !ok {
			return
		}
		c.alter(func(rare *rareCall) { rare.explain += leftOut(more) })
	}
	level := levelOfCall(c, out.code)
	always := turnsAway(c.reason())
	structured := cfg.Sinks
	if cfg.Lines == nil {
		structured = cfg.Logger
	} else if always || cfg.enabled(c, level) {
		writeLine(c, out, level, elapsed)
	}
	if structured != nil && (always || structured.Enabled(c, level)) {
		logAnyway(c, structured, c.start.Add(elapsed), level, "call", lineAttrs(c, out, elapsed))
	}
}

// leftOut reports how many lines of a flood were left out before one. While the audit log cannot
// be written, each call is refused, and the metric of refused calls counts them.
func leftOut(lines int) string {
	if lines == 0 {
		return ""
	}
	return "; " + strconv.Itoa(lines) + " calls refused for this since have no line"
}

// logAnyway logs a line at any level of the log.
func logAnyway(ctx context.Context, log *slog.Logger, at time.Time, level slog.Level, message string, attrs []slog.Attr) {
	record := slog.NewRecord(at, level, message, 0)
	record.AddAttrs(attrs...)
	_ = log.Handler().Handle(ctx, record) // a sink that is broken has nowhere to say so
}

// turnsAway reports whether the reason is the caller's identity. Such lines are logged at any
// level, so that a lower log level does not hide attempts to get in.
func turnsAway(reason Reason) bool {
	return reason == ReasonUnauthenticated || reason == ReasonDenied || reason == ReasonRateLimited
}

// levelOfCall is ERROR if the service has failed. Failures that a caller can cause at will have a
// lower level.
func levelOfCall(c *call, code codes.Code) slog.Level {
	switch reason := c.reason(); {
	case reason == ReasonOverload || reason == ReasonShutdown || reason == ReasonUnaudited:
		return slog.LevelWarn // the service protects itself, keeps its contract, or stops
	case reason.ofTheCaller() || reason == ReasonDraining || c.byCaller:
		return slog.LevelInfo
	default:
		return levelOf(code)
	}
}

// levelOf is ERROR if the code is a fault of the service.
func levelOf(code codes.Code) slog.Level {
	if errorType(code) != "" {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// lineAttrs are the fields of a line. writeLine writes the same fields, and a test compares the
// two.
func lineAttrs(c *call, out outcome, elapsed time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String("method", c.method.Name),
		slog.String("code", rpcstatus.Name(out.code)),
		slog.Float64("duration_seconds", elapsed.Seconds()),
		slog.String("protocol", c.protocol()),
	)
	for _, f := range optionalFields(c) {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if out.err != nil {
		attrs = append(attrs, slog.String("error", logline.Truncate(out.message())))
	}
	return attrs
}

// field is a part of a line that most calls do not have.
type field struct{ key, value string }

func optionalFields(c *call) [3]field {
	rare := c.rare.Load()
	if rare == nil {
		return [...]field{{"peer", c.caller.ID}, {}, {}}
	}
	explained := "explain"
	if rare.audited {
		explained = "would_refuse"
	}
	peer := c.caller.ID
	if peer == "" {
		peer = rare.former
	}
	return [...]field{{"peer", peer}, {"reason", string(rare.refused)}, {explained, rare.explain}}
}

func linePrefix(method string) string {
	return string(logline.AppendString([]byte(`,"msg":"call","method":`), method)) + `,"code":"`
}

// lineWriter makes the JSON lines of one chain.
type lineWriter struct {
	buffers sync.Pool // of *[]byte
	second  atomic.Pointer[second]
}

func writeLine(c *call, out outcome, level slog.Level, elapsed time.Duration) {
	lines := &c.method.server.obs.lines
	pooled, ok := lines.buffers.Get().(*[]byte)
	if !ok {
		pooled = new([]byte)
	}
	b := append((*pooled)[:0], `{"time":"`...)
	b = lines.appendTime(b, c.start.Add(elapsed))
	b = append(b, `","level":"`...)
	b = append(b, level.String()...)
	b = append(b, '"')
	b = append(b, c.method.prefix...)
	b = append(b, rpcstatus.Name(out.code)...)
	b = append(b, `","duration_seconds":`...)
	b = strconv.AppendFloat(b, elapsed.Seconds(), 'f', -1, 64)
	b = append(b, `,"protocol":"`...)
	b = append(b, c.protocol()...)
	b = append(b, '"')
	for _, f := range optionalFields(c) {
		if f.value != "" {
			b = append(b, `,"`...)
			b = append(b, f.key...)
			b = logline.AppendString(append(b, `":`...), f.value)
		}
	}
	if out.err != nil {
		b = logline.AppendString(append(b, `,"error":`...), logline.Truncate(out.message()))
	}
	sc := c.trace.context()
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b = append(b, `,"trace_id":"`...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, `","span_id":"`...)
	b = hex.AppendEncode(b, spanID[:])
	b = append(b, `","trace_flags":"`...)
	b = hex.AppendEncode(b, []byte{byte(sc.TraceFlags())})
	b = append(b, "\"}\n"...)
	// A broken sink cannot log its own error. The writer of the chassis counts dropped lines.
	_, _ = c.method.server.cfg.Lines.Write(b)
	*pooled = b
	lines.buffers.Put(pooled)
}

// second is the text of one second in UTC. It is cached, because formatting a date costs more
// than the rest of a line.
type second struct {
	unix int64
	text []byte
}

// appendTime appends t as slog's JSON handler does in UTC: RFC 3339 with nanoseconds.
func (w *lineWriter) appendTime(b []byte, t time.Time) []byte {
	s := w.second.Load()
	if unix := t.Unix(); s == nil || s.unix != unix {
		s = &second{unix, t.UTC().AppendFormat(nil, "2006-01-02T15:04:05.")}
		w.second.Store(s)
	}
	b = append(b, s.text...)
	nanos := t.Nanosecond()
	for unit := 100_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+nanos/unit%10))
	}
	return append(b, 'Z')
}
