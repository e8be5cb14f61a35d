package audit_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/contract"
)

// Whatever strangers call themselves, a record is one line of JSON of bounded length that shows as
// it is.
func TestARecordIsOneBoundedLine(t *testing.T) {
	for name, hostile := range map[string]string{
		"a new line":    "a\n{\"log\":\"audit\"}\r\n",
		"bidi marks":    "\u202egro.elpmaxe\u2066\u200f",
		"controls":      "\x00\x1b[2J\x7f\u0085\u009b",
		"no UTF-8":      "\xff\xfe\xed\xa0\x80",
		"a megabyte":    strings.Repeat("x", 1<<20),
		"quotes":        strings.Repeat(`"\`, 1<<19),
		"a long letter": strings.Repeat("€", 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, false)
			o.Write(&audit.Record{
				Event: audit.End, Time: time.Now(), Protocol: hostile, Method: hostile, Requested: hostile, Address: hostile,
				Caller:   contract.Caller{ID: hostile, Subject: hostile},
				Decision: audit.Decision(hostile), Reason: hostile, Explain: hostile, WouldDeny: hostile, Code: hostile, Detail: hostile,
			})
			o.close(t)
			text := o.sink.String()
			records, torn := linesOf(t, text)
			if len(records) != 3 || torn != 0 {
				t.Fatalf("%d records and %d torn lines, want 3", len(records), torn)
			}
			if len(text) > 64<<10 || !utf8.ValidString(text) {
				t.Errorf("%d bytes, valid UTF-8: %t", len(text), utf8.ValidString(text))
			}
			for _, r := range strings.ReplaceAll(text, "\n", "") {
				if unicode.In(r, unicode.Cc, unicode.Bidi_Control) || r == '\u2028' || r == '\u2029' {
					t.Errorf("%U is written as it is", r)
				}
			}
		})
	}
}

func TestFieldsOfARecord(t *testing.T) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	at := time.Date(2026, 11, 28, 8, 0, 0, 5, time.UTC)
	for name, test := range map[string]struct {
		record audit.Record
		want   string
	}{
		"a call": {
			audit.Record{
				Event: audit.End, Time: at, Protocol: "grpc", Method: "a.B/C", Caller: contract.Caller{ID: "spiffe://x/web"}, Address: "10.0.0.1:5",
				Decision: audit.Allow, Code: "OK", Duration: 1500 * time.Microsecond, Trace: sc,
			},
			`"time":"2026-11-28T08:00:00.000000005Z","event":"end","protocol":"grpc","method":"a.B/C","caller":"spiffe://x/web","address":"10.0.0.1:5",` +
				`"decision":"allow","code":"OK","duration_seconds":0.0015,"trace_id":"01000000000000000000000000000000","span_id":"0200000000000000"}`,
		},
		"a user": {
			audit.Record{Event: audit.Begin, Time: at, Method: "a.B/C", Caller: contract.Caller{Subject: "alice"}, Decision: audit.Allow, WouldDeny: "denied"},
			`"event":"begin","method":"a.B/C","caller":"user:alice","user":"alice","decision":"allow","would_deny":"denied"}`,
		},
		"a user by a service": {
			audit.Record{Event: audit.Begin, Time: at, Caller: contract.Caller{ID: "spiffe://x/web", Subject: "alice"}},
			`"event":"begin","caller":"spiffe://x/web","user":"alice"}`,
		},
		"nobody": {
			audit.Record{Event: audit.End, Time: at, Protocol: "http", Method: "GET /x", Decision: audit.Deny, Reason: "unauthenticated", Explain: "who?", Status: 401},
			`"event":"end","protocol":"http","method":"GET /x","caller":"nobody","decision":"deny","reason":"unauthenticated","explain":"who?","status":401,"duration_seconds":0}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, false)
			o.Write(&test.record)
			o.close(t)
			if text := o.sink.String(); !strings.Contains(text, test.want+"\n") {
				t.Errorf("want %s\nin %s", test.want, text)
			}
		})
	}
}

// A record costs no garbage once buffers have grown. The race detector makes some of it.
func TestAllocationsOfARecord(t *testing.T) {
	o := open(t, false)
	r := call(1)
	o.Write(r)
	if got := testing.AllocsPerRun(1000, func() { o.Write(r) }); got > 3 {
		t.Errorf("%v allocations, want none", got)
	}
	o.close(t)
}
