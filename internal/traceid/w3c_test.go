package traceid_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/traceid"
)

const (
	traceHex = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanHex  = "00f067aa0ba902b7"
	parent00 = "00-" + traceHex + "-" + spanHex + "-00"
	parent01 = "00-" + traceHex + "-" + spanHex + "-01"
)

func TestParseTraceContext(t *testing.T) {
	for _, tc := range []struct {
		name, traceparent, tracestate string
		flags                         trace.TraceFlags
		none                          bool
		state                         string
	}{
		{name: "sampled", traceparent: parent01, flags: 1},
		{name: "not sampled", traceparent: parent00},
		{name: "random", traceparent: parent00[:53] + "03", flags: 3},
		{name: "flags not known yet are masked", traceparent: parent00[:53] + "fd", flags: 1},
		{name: "with state", traceparent: parent01, tracestate: "a=1,b=2", flags: 1, state: "a=1,b=2"},
		{name: "malformed state is dropped", traceparent: parent01, tracestate: "a=1,,=", flags: 1},
		{name: "later version", traceparent: "cc" + parent01[2:], flags: 1},
		{name: "later version with more", traceparent: "cc" + parent01[2:] + "-what-the-future-holds", flags: 1},
		{name: "later version with garbage", traceparent: "cc" + parent01[2:] + "x", none: true},
		{name: "version 00 with more", traceparent: parent01 + "-more", none: true},
		{name: "version 00 with a dash", traceparent: parent01 + "-", none: true},
		{name: "version ff", traceparent: "ff" + parent01[2:], none: true},
		{name: "empty", none: true},
		{name: "short", traceparent: parent01[:54], none: true},
		{name: "upper case", traceparent: strings.ToUpper(parent01), none: true},
		{name: "no hexadecimal", traceparent: strings.Replace(parent01, "4b", "4g", 1), none: true},
		{name: "zero trace", traceparent: strings.Replace(parent01, traceHex, strings.Repeat("0", 32), 1), none: true},
		{name: "zero span", traceparent: strings.Replace(parent01, spanHex, strings.Repeat("0", 16), 1), none: true},
		{name: "wrong separators", traceparent: strings.ReplaceAll(parent01, "-", "_"), none: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := traceid.Parse(tc.traceparent, tc.tracestate)
			if got.IsValid() == tc.none {
				t.Fatalf("parsed %v, want a parent: %v", got, !tc.none)
			}
			if tc.none {
				return
			}
			if got.TraceID().String() != traceHex || got.SpanID().String() != spanHex || !got.IsRemote() {
				t.Errorf("parsed %s, %s, remote %v", got.TraceID(), got.SpanID(), got.IsRemote())
			}
			if got.TraceFlags() != tc.flags || got.TraceState().String() != tc.state {
				t.Errorf("flags %s and state %q, want %s and %q", got.TraceFlags(), got.TraceState(), tc.flags, tc.state)
			}
		})
	}
}

// The propagator of OpenTelemetry is the oracle. It differs in two rulings on version 00, in both
// of which the recommendation is followed here: flags that have no meaning yet are ignored rather
// than the whole header, and a header that is longer than it may be is not a parent, even if only
// by a dash.
func FuzzParseTraceContext(f *testing.F) {
	for _, seed := range []string{parent00, parent01, "", "cc" + parent01[2:] + "-x", parent01 + "-", "ff" + parent01[2:], strings.ToUpper(parent01)} {
		f.Add(seed, "a=1,b=2")
		f.Add(seed, "=")
	}
	f.Fuzz(func(t *testing.T, traceparent, tracestate string) {
		got := traceid.Parse(traceparent, tracestate)
		asked := traceparent
		if strings.HasPrefix(traceparent, "00") {
			if len(traceparent) != 55 {
				if got.IsValid() {
					t.Errorf("parsed %q of %d bytes", traceparent, len(traceparent))
				}
				return
			}
			asked = traceparent[:53] + maskFlags(traceparent[53:])
		}
		carrier := propagation.MapCarrier{"traceparent": asked, "tracestate": tracestate}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), carrier))
		if !got.Equal(want) {
			t.Errorf("parsed %q, %q as %v, OpenTelemetry as %v", traceparent, tracestate, got, want)
		}
	})
}

// maskFlags clears the bits that have no meaning, where flags are hexadecimal.
func maskFlags(flags string) string {
	if strings.Trim(flags, "0123456789abcdef") != "" {
		return flags
	}
	return "0" + string("0123012301230123"[strings.IndexByte("0123456789abcdef", flags[1])])
}
