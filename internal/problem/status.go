package problem

import (
	"math"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// Bounds of what a status may put into a problem, in bytes: it may come from another process.
const (
	maxDetail = 8 << 10 // of the whole
	maxText   = 1 << 10 // of what is said of one field
	maxName   = 256     // of a field, a reason or a domain
	maxErrors = 100     // fields
)

// FromStatus returns the problem of an HTTP status that stands for st, whose code goes by the name
// code. Accept is the caller's Accept-Language, which may be empty: it decides whether the detail
// is the localized message.
func FromStatus(httpStatus int, code string, st *status.Status, accept string, sc trace.SpanContext) Problem {
	details := rpcstatus.Split(st)
	p := New(httpStatus, code, shorten(st.Message(), maxDetail), sc)
	p.Reason = shorten(details.Info.GetReason(), maxName)
	p.Domain = shorten(details.Info.GetDomain(), maxName)
	p.Type = typeOf(p.Domain, p.Reason)
	p.Errors, p.MoreErrors = violations(st)
	p.RetryAfter = seconds(details.Retry.GetRetryDelay())
	if l := details.Localized; l.GetMessage() != "" && isTag(l.GetLocale()) {
		p.varies = true
		if prefers(accept, l.GetLocale()) {
			p.Detail, p.language = shorten(l.GetMessage(), maxDetail), l.GetLocale()
		}
	}
	return p
}

// typeOf names the type of a problem by its domain and reason. It is a name and no address: nothing
// is found there. What does not fit into a URN as it is has no type, but still its domain and
// reason.
func typeOf(domain, reason string) string {
	if !isSimple(domain) || !isSimple(reason) {
		return ""
	}
	return "urn:x-error:" + domain + ":" + reason
}

func isSimple(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-", r) }) < 0
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func violations(st *status.Status) (all []Violation, more int) {
	found, more := rpcstatus.Violations(st, maxErrors)
	for _, v := range found {
		all = append(all, Violation{
			Field: shorten(v.GetField(), maxName), Detail: shorten(v.GetDescription(), maxText), Reason: shorten(v.GetReason(), maxName),
		})
	}
	return all, more
}

// seconds rounds up. What is not a delay is none.
func seconds(delay *durationpb.Duration) int64 {
	if delay == nil || delay.CheckValid() != nil {
		return 0
	}
	return max(int64(math.Ceil(delay.AsDuration().Seconds())), 0)
}

// shorten cuts text to at most limit bytes, between two characters, and marks the cut.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
