package audit

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/logline"
)

// Event is the kind of a record.
type Event string

// The events.
const (
	Begin   Event = "begin"   // a call was let in, and has not run yet
	End     Event = "end"     // a call is over
	opened  Event = "opened"  // the log begins
	closed  Event = "closed"  // the log ends in good order
	dropped Event = "dropped" // records before this one are missing
)

// Decision is the decision about a call.
type Decision string

// The decisions.
const (
	Allow Decision = "allow" // the caller may make the call
	Deny  Decision = "deny"  // the caller may not
	None  Decision = "none"  // the call ended before anything was decided
)

// Record is one line. Empty fields are left out, except the caller.
type Record struct {
	Event     Event
	Time      time.Time
	Protocol  string          // "grpc", "http" or "admin"
	Method    string          // "package.Service/Method", or the pattern of a plain HTTP handler
	Requested string          // what the caller has named, where nothing of the service has that name
	Caller    contract.Caller // as far as it was proved
	Peer      string          // the identity of the certificate, if it is not valid any more
	Address   string          // of the connection; headers are not believed
	Decision  Decision
	Reason    string            // one of a fixed list
	Explain   string            // the same for operators
	WouldDeny string            // the reason for which CHASSIS_AUTHORIZATION=enforce would have denied the call
	Code      string            // of gRPC; empty for plain HTTP
	Status    int               // of plain HTTP; 0 for gRPC
	Duration  time.Duration     // of a call that is over
	Trace     trace.SpanContext // of the call; of no span for none
	Detail    string            // what was changed
}

// Limits of text from callers, in bytes before quoting. A SPIFFE ID has at most 2048 bytes, and
// must be whole.
const (
	longestName = 2048
	longestText = 256
)

// appendTo appends the record's part of a line, from behind what all lines begin with.
func (r *Record) appendTo(b []byte) []byte {
	b = r.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, `","event":"`...)
	b = append(append(b, r.Event...), '"')
	b = appendText(b, "protocol", r.Protocol, longestText)
	b = appendText(b, "method", r.Method, longestName)
	b = appendText(b, "requested", r.Requested, longestText)
	if r.Event == Begin || r.Event == End {
		b = appendText(b, "caller", nameOf(r.Caller), longestName)
	}
	b = appendText(b, "peer", r.Peer, longestName)
	b = appendText(b, "user", r.Caller.Subject, longestName)
	b = appendText(b, "address", r.Address, longestText)
	b = appendText(b, "decision", string(r.Decision), longestText)
	b = appendText(b, "reason", r.Reason, longestText)
	b = appendText(b, "explain", r.Explain, longestText)
	b = appendText(b, "would_deny", r.WouldDeny, longestText)
	b = appendText(b, "detail", r.Detail, longestName)
	b = appendText(b, "code", r.Code, longestText)
	if r.Status != 0 {
		b = strconv.AppendInt(append(b, `,"status":`...), int64(r.Status), 10)
	}
	if r.Event == End {
		b = strconv.AppendFloat(append(b, `,"duration_seconds":`...), r.Duration.Seconds(), 'f', -1, 64)
	}
	return append(appendTrace(b, r.Trace), '}', '\n')
}

// nameOf returns one name of a caller, as in a contract.
func nameOf(c contract.Caller) string {
	switch {
	case c.ID != "":
		return c.ID
	case c.Subject != "":
		return "user:" + c.Subject
	default:
		return "nobody"
	}
}

func appendText(b []byte, key, value string, longest int) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), key...), `":`...)
	return logline.AppendString(b, cut(value, longest))
}

// cut shortens a long text, and appends a mark.
func cut(s string, longest int) string {
	if len(s) <= longest {
		return s
	}
	end := longest
	for end > longest-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func appendTrace(b []byte, sc trace.SpanContext) []byte {
	if !sc.IsValid() {
		return b
	}
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b = hex.AppendEncode(append(b, `,"trace_id":"`...), traceID[:])
	b = hex.AppendEncode(append(b, `","span_id":"`...), spanID[:])
	return append(b, '"')
}
