package traceid

import (
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// Parse reads the headers of W3C Trace Context; a malformed traceparent is no parent, a malformed
// tracestate is dropped, as the recommendation says.
func Parse(traceparent, tracestate string) trace.SpanContext {
	var none trace.SpanContext
	// version "-" trace-id "-" parent-id "-" flags; a later version may have more behind another
	// "-".
	if len(traceparent) < 55 || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return none
	}
	version := traceparent[:2]
	if version == "ff" || version == "00" && len(traceparent) != 55 || len(traceparent) > 55 && traceparent[55] != '-' {
		return none
	}
	var cfg trace.SpanContextConfig
	var versionByte, flags [1]byte
	if !lowerHex(versionByte[:], version) || !lowerHex(cfg.TraceID[:], traceparent[3:35]) ||
		!lowerHex(cfg.SpanID[:], traceparent[36:52]) || !lowerHex(flags[:], traceparent[53:55]) {
		return none
	}
	cfg.TraceFlags = trace.TraceFlags(flags[0]) & (trace.FlagsSampled | trace.FlagsRandom)
	cfg.Remote = true
	if tracestate != "" {
		cfg.TraceState, _ = trace.ParseTraceState(tracestate)
	}
	parent := trace.NewSpanContext(cfg)
	if !parent.IsValid() {
		return none
	}
	return parent
}

// lowerHex decodes src into dst; src must be lower case, as the recommendation demands.
func lowerHex(dst []byte, src string) bool {
	for i := range dst {
		high, low := nibble(src[2*i]), nibble(src[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	default:
		return 255
	}
}

// Format writes version 00 of the traceparent header.
func Format(sc trace.SpanContext) string {
	var b [55]byte
	traceID, spanID, flags := sc.TraceID(), sc.SpanID(), [1]byte{byte(sc.TraceFlags())}
	copy(b[:], "00-")
	hex.Encode(b[3:35], traceID[:])
	b[35] = '-'
	hex.Encode(b[36:52], spanID[:])
	b[52] = '-'
	hex.Encode(b[53:], flags[:])
	return string(b[:])
}
