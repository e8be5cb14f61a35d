package problem_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/problem"
)

func withDetails(t testing.TB, code codes.Code, message string, details ...protoadapt.MessageV1) *status.Status {
	t.Helper()
	st, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func write(httpStatus int, st *status.Status, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	problem.FromStatus(httpStatus, "CODE", st, accept, trace.SpanContext{}).Write(w)
	return w
}

func TestFromStatus(t *testing.T) {
	for name, test := range map[string]struct {
		details []protoadapt.MessageV1
		want    string // between code and the end
	}{
		"nothing more": {nil, ``},
		"reason":       {[]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: "NO_BET", Domain: "bet.v1", Metadata: map[string]string{"k": "v"}}}, `,"domain":"bet.v1","reason":"NO_BET"`},
		"fields": {[]protoadapt.MessageV1{&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "legs[1].stake", Description: "must be more than 0", Reason: "TOO_SMALL"}, {Description: "all"},
		}}}, `,"errors":[{"field":"legs[1].stake","detail":"must be more than 0","reason":"TOO_SMALL"},{"detail":"all"}]`},
		"delay":            {[]protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}}, `,"retry_after_seconds":2`},
		"no delay":         {[]protoadapt.MessageV1{&errdetails.RetryInfo{}}, ``},
		"a delay before":   {[]protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(-time.Hour)}}, ``},
		"impossible delay": {[]protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: 1 << 62, Nanos: -1}}}, ``},
	} {
		t.Run(name, func(t *testing.T) {
			got := write(400, withDetails(t, codes.InvalidArgument, "no", test.details...), "").Body.String()
			want := `{"title":"Bad Request","status":400,"detail":"no","code":"CODE"` + test.want + `}`
			if strings.Contains(test.want, "bet.v1") {
				want = `{"type":"urn:x-error:bet.v1:NO_BET",` + want[1:]
			}
			if got != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, want)
			}
		})
	}
}

func TestType(t *testing.T) {
	for _, test := range []struct{ domain, reason, want string }{
		{"bet.v1", "NO_BET", "urn:x-error:bet.v1:NO_BET"},
		{"", "NO_BET", ""},
		{"bet.v1", "", ""},
		{"bet.v1:x", "NO_BET", ""},
		{"bet.v1", "no bet", ""},
		{"bet.v1", "NO_BÉT", ""},
	} {
		st := withDetails(t, codes.NotFound, "", &errdetails.ErrorInfo{Domain: test.domain, Reason: test.reason})
		got := problem.FromStatus(404, "", st, "", trace.SpanContext{})
		if got.Type != test.want || got.Domain != test.domain || got.Reason != test.reason {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	for delay, want := range map[time.Duration]string{0: "", -time.Second: "", 1: "1", time.Second: "1", time.Second + 1: "2", time.Hour: "3600"} {
		got := write(503, withDetails(t, codes.Unavailable, "", &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}), "").Header().Get("Retry-After")
		if got != want {
			t.Errorf("%s: Retry-After is %q, want %q", delay, got, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, test := range []struct {
		locale, accept string
		localized      bool
	}{
		{"de", "de", true},
		{"de", "DE-ch", true},
		{"de-CH", "de", true},
		{"de-CH", "de-DE", false},
		{"de", "den", false},
		{"de", "", false},
		{"de", "*", false},
		{"de", "fr, de;q=0.5", true},
		{"de", "de;q=0", false},
		{"de", "de;q=0.5, en", false},
		{"de", "de, en;q=0.9", true},
		{"de", "de;q=many", false},
		{"de", "de;q=NaN", false},
		{"de", "de;level=1", false},
		{"de-CH", "de;q=0, de-CH", true},
		{"en-AU", "en", true},
		{"de\r\nX: 1", "de", false},
		{"", "de", false},
		{"de", strings.Repeat("fr,", 40) + "de", false},
	} {
		st := withDetails(t, codes.NotFound, "not there", &errdetails.LocalizedMessage{Locale: test.locale, Message: "nicht da"})
		w := write(404, st, test.accept)
		detail, language := "not there", ""
		if test.localized {
			detail, language = "nicht da", test.locale
		}
		if !strings.Contains(w.Body.String(), `"detail":"`+detail+`"`) || w.Header().Get("Content-Language") != language {
			t.Errorf("%q for %q: got %s in %q", test.locale, test.accept, w.Body, w.Header().Get("Content-Language"))
		}
		if varies := w.Header().Get("Vary") == "Accept-Language"; varies != (len(test.locale) > 0 && len(test.locale) < 6) {
			t.Errorf("%q: Vary is %q", test.locale, w.Header().Get("Vary"))
		}
	}
}

// A status is no larger for the caller than this, whatever came from elsewhere.
func TestFromStatusIsBounded(t *testing.T) {
	many := &errdetails.BadRequest{}
	for i := range 1000 {
		many.FieldViolations = append(many.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: fmt.Sprint(i)})
	}
	long := strings.Repeat("日", 5000)
	st := withDetails(t, codes.InvalidArgument, long, many, &errdetails.ErrorInfo{Reason: long, Domain: long})
	got := problem.FromStatus(400, "", st, "", trace.SpanContext{})
	if len(got.Errors) != 100 || len(got.Detail) > 8<<10 || len(got.Reason) > 256 || len(got.Domain) > 256 {
		t.Errorf("got %d errors, detail of %d, reason of %d and domain of %d bytes", len(got.Errors), len(got.Detail), len(got.Reason), len(got.Domain))
	}
	if !utf8.ValidString(got.Detail) || !strings.HasSuffix(got.Detail, "日…") {
		t.Errorf("the detail ends in %q", got.Detail[len(got.Detail)-10:])
	}
}

func FuzzFromStatus(f *testing.F) {
	seed := func(details ...protoadapt.MessageV1) []byte {
		raw, err := proto.Marshal(withDetails(f, codes.InvalidArgument, "no", details...).Proto())
		if err != nil {
			f.Fatal(err)
		}
		return raw
	}
	f.Add(seed(), "")
	f.Add(seed(&errdetails.ErrorInfo{Reason: "NO_BET", Domain: "bet.v1"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}), "de, en;q=0.5")
	f.Add(seed(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "f", Description: "d"}}}), "*")
	f.Add(seed(&errdetails.LocalizedMessage{Locale: "de-CH", Message: "nein"}), "de;q=1")
	f.Fuzz(func(t *testing.T, raw []byte, accept string) {
		var p spb.Status
		if proto.Unmarshal(raw, &p) != nil {
			t.Skip("no status")
		}
		w := write(http.StatusBadRequest, status.FromProto(&p), accept)
		var got problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%q is no JSON: %v", w.Body, err)
		}
		if w.Body.Len() > 2<<20 || len(got.Errors) > 100 || got.Status != http.StatusBadRequest || got.RetryAfter < 0 {
			t.Errorf("%d bytes: %+v", w.Body.Len(), got)
		}
		if language := w.Header().Get("Content-Language"); strings.ContainsAny(language, "\r\n ,;") {
			t.Errorf("the language is %q", language)
		}
		if strings.ContainsAny(got.Type, "\r\n \"") || got.Type != "" && (got.Domain == "" || got.Reason == "") {
			t.Errorf("the type is %q of %q and %q", got.Type, got.Domain, got.Reason)
		}
	})
}
