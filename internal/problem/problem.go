// Package problem writes errors to HTTP callers as RFC 9457 problem details, application/problem+json.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Problem is what the caller is told. Type is left out: the title is that of the status, as about:blank means.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Code is the name of the gRPC code behind the status, empty where no call was made.
	Code string `json:"code,omitempty"`
	// TraceID leads whoever is asked to the log lines and the trace of the call.
	TraceID string `json:"trace_id,omitempty"`
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

// Write sends p as the whole answer. Nothing must have been written before.
func (p Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		body = []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a caller that is gone cannot be told
}
