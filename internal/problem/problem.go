// Package problem writes errors to HTTP callers as RFC 9457 problem details,
// application/problem+json.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Problem is the content of the answer.
type Problem struct {
	// Type is a URN made of Domain and Reason. It is left out where there is none, which means
	// about:blank.
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Code is the name of the gRPC code behind the status, empty where no call was made.
	Code string `json:"code,omitempty"`
	// Domain and Reason tell programs which error of which service it is.
	Domain string `json:"domain,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Errors are what is wrong with the request, field by field.
	Errors []Violation `json:"errors,omitempty"`
	// MoreErrors is how many there are beside Errors, which has 100 at most.
	MoreErrors int `json:"errors_omitted,omitempty"`
	// RetryAfter is also the header of that name, in seconds. With zero the header is not set.
	RetryAfter int64 `json:"retry_after_seconds,omitempty"`
	// TraceID identifies the log lines and the trace of the call.
	TraceID string `json:"trace_id,omitempty"`

	language string // of the detail, where it is localized
	varies   bool   // the detail depends on Accept-Language
}

// Violation is what is wrong with one field.
type Violation struct {
	// Field is its path by the names of the proto, which also holds where the field is not in the
	// body.
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// New returns the problem of an HTTP status. sc may be invalid: then it has no trace id.
func New(status int, code, detail string, sc trace.SpanContext) Problem {
	p := Problem{Title: title(status), Status: status, Code: code, Detail: detail}
	if sc.HasTraceID() {
		p.TraceID = sc.TraceID().String()
	}
	return p
}

func title(status int) string {
	if status == 499 {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// JSON returns p in one line.
func (p Problem) JSON() []byte {
	body, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		return []byte(`{}`)
	}
	return body
}

// Write sends p as the whole answer. Nothing must have been written before.
func (p Problem) Write(w http.ResponseWriter) {
	body := p.JSON()
	h := w.Header()
	h.Set("Content-Type", ContentType)
	if h.Get("Trailer") == "" { // HTTP/1.1 has trailers only where the length is not announced
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	if p.varies {
		h.Add("Vary", "Accept-Language")
	}
	if p.language != "" {
		h.Set("Content-Language", p.language)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a caller that is gone cannot be told
}
