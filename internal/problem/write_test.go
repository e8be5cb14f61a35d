package problem_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/problem"
)

var traced = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{0x4b, 0xf9, 15: 0x36},
	SpanID:  trace.SpanID{7: 1},
})

func TestWriteBody(t *testing.T) {
	tests := []struct {
		name    string
		problem problem.Problem
		status  int
		body    string
	}{
		{"a call that failed", problem.New(404, "NOT_FOUND", "no such bet", traced), 404,
			`{"title":"Not Found","status":404,"detail":"no such bet","code":"NOT_FOUND","trace_id":"4bf90000000000000000000000000036"}`},
		{"no call was made", problem.New(405, "", "", trace.SpanContext{}), 405,
			`{"title":"Method Not Allowed","status":405}`},
		{"the caller is gone", problem.New(499, "CANCELLED", "", trace.SpanContext{}), 499,
			`{"title":"Client Closed Request","status":499,"code":"CANCELLED"}`},
		{"a status without a name", problem.New(599, "", "", trace.SpanContext{}), 599,
			`{"title":"","status":599}`},
		{"a span without a trace", problem.New(500, "", "", trace.NewSpanContext(trace.SpanContextConfig{SpanID: trace.SpanID{1}})), 500,
			`{"title":"Internal Server Error","status":500}`},
		{"detail that would end the text", problem.New(400, "", "\",\"status\":200,\"x\":\"\n\x00</script>", trace.SpanContext{}), 400,
			`{"title":"Bad Request","status":400,"detail":"\",\"status\":200,\"x\":\"\n\u0000\u003c/script\u003e"}`},
		{"detail that is no text", problem.New(400, "", "a\xffb", trace.SpanContext{}), 400,
			`{"title":"Bad Request","status":400,"detail":"a\ufffdb"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			test.problem.Write(w)
			if w.Code != test.status {
				t.Errorf("status is %d, want %d", w.Code, test.status)
			}
			if body := w.Body.String(); body != test.body {
				t.Errorf("body is\n\t%s\nwant\n\t%s", body, test.body)
			}
			for name, want := range map[string]string{
				"Content-Type":           "application/problem+json",
				"Content-Length":         strconv.Itoa(len(test.body)),
				"X-Content-Type-Options": "nosniff",
			} {
				if values := w.Header().Values(name); len(values) != 1 || values[0] != want {
					t.Errorf("%s is %q, want %q alone", name, values, want)
				}
			}
		})
	}
}

// What was to be answered before the call failed is not said of the problem; what others set stays.
func TestWriteOverHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", "7")
	w.Header().Set("Retry-After", "3")
	problem.New(503, "UNAVAILABLE", "", traced).Write(w)
	if got := w.Header().Get("Content-Type"); got != problem.ContentType {
		t.Errorf("type is %q, want %q", got, problem.ContentType)
	}
	if got := w.Header().Get("Content-Length"); got != strconv.Itoa(w.Body.Len()) {
		t.Errorf("length is %s, and the body has %d bytes", got, w.Body.Len())
	}
	if got := w.Header().Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After is %q, want 3", got)
	}
}

func TestWriteByServer(t *testing.T) {
	detail := strings.Repeat("again ", 2000) // more than a server buffers
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(409, "ABORTED", detail, traced).Write(w)
	}))
	defer server.Close()
	answer, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got problem.Problem
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := problem.New(409, "ABORTED", detail, traced); answer.StatusCode != 409 || !reflect.DeepEqual(got, want) {
		t.Errorf("status %d with\n\t%+v\nwant\n\t%+v", answer.StatusCode, got, want)
	}
	if answer.ContentLength < int64(len(detail)) {
		t.Errorf("the length is given as %d", answer.ContentLength)
	}
}

func TestWriteToNobody(t *testing.T) {
	w := &gone{ResponseRecorder: httptest.NewRecorder()}
	problem.New(500, "INTERNAL", "", traced).Write(w)
	if w.Code != 500 || w.writes != 1 {
		t.Errorf("status is %d after %d writes, want 500 and one try", w.Code, w.writes)
	}
}

// gone is a caller that hung up.
type gone struct {
	*httptest.ResponseRecorder
	writes int
}

func (g *gone) Write([]byte) (int, error) {
	g.writes++
	return 0, errors.New("broken pipe")
}

func FuzzWrite(f *testing.F) {
	f.Add(404, "NOT_FOUND", "no such bet")
	f.Add(499, "", "\"\n\x00\xff</script>\u2028")
	f.Fuzz(func(t *testing.T, status int, code, detail string) {
		if status < 200 || status > 999 {
			t.Skip("net/http takes no such status, and the gateway gives none")
		}
		w := httptest.NewRecorder()
		problem.New(status, code, detail, traced).Write(w)
		var got problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%q is no JSON: %v", w.Body, err)
		}
		want := problem.New(status, valid(code), valid(detail), traced)
		if !reflect.DeepEqual(got, want) || w.Code != status {
			t.Errorf("status %d with\n\t%+v\nwant\n\t%+v", w.Code, got, want)
		}
		if strings.ContainsAny(w.Body.String(), "<>\n\x00") {
			t.Errorf("the body has bare control characters or markup: %q", w.Body)
		}
	})
}

// valid puts U+FFFD where s is no UTF-8: once a byte, as JSON does.
func valid(s string) string { return string([]rune(s)) }
