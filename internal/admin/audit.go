package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/contract"
)

// auditor records the requests for /debug, changes whatever is recorded else.
type auditor struct{ log *audit.Log }

// detail is what a request has changed, in words.
type detail struct{ text string }

type detailKey struct{}

// noteChange says what the request of ctx has changed, for its record.
func noteChange(ctx context.Context, text string) {
	if d, ok := ctx.Value(detailKey{}).(*detail); ok {
		d.text = text
	}
}

// wrap records each request that next has answered.
func (a auditor) wrap(next http.Handler) http.Handler {
	if a.log == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, changed := time.Now(), &detail{}
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), detailKey{}, changed)))
		if r.URL.Path == "/debug/style.css" && answer.status != http.StatusForbidden {
			return
		}
		record := recordOf(r, audit.End, start)
		record.Duration = time.Since(start)
		record.Time, record.Status, record.Detail = start.Add(record.Duration), answer.status, changed.text
		if answer.status == http.StatusForbidden {
			record.Decision, record.Reason = audit.Deny, "denied"
		}
		if a.log.Wants(record.Decision == audit.Deny || changes(r)) {
			a.log.Write(&record)
		}
	})
}

// begin records a change before it is made, and refuses one that cannot be recorded, where the log
// is for that.
func (a auditor) begin(change http.Handler) http.Handler {
	if !a.log.Refuses() {
		return change
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := recordOf(r, audit.Begin, time.Now())
		if err := a.log.Commit(r.Context(), &record); err != nil {
			http.Error(w, fmt.Sprintf("nothing is changed that is not recorded: %v", err), http.StatusServiceUnavailable)
			return
		}
		change.ServeHTTP(w, r)
	})
}

func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

func recordOf(r *http.Request, event audit.Event, at time.Time) audit.Record {
	return audit.Record{
		Event: event, Time: at, Protocol: "admin", Method: r.Method + " " + r.URL.Path, Caller: contract.Caller{ID: identity(r)},
		Address: r.RemoteAddr, Decision: audit.Allow,
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.begun && status >= http.StatusOK {
		w.status, w.begun = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
