package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// full has everything that is sent.
func full() *chassis.Error {
	return &chassis.Error{
		Code: codes.ResourceExhausted, Domain: "test.v1", Reason: "NO_MORE", Message: "no more today",
		Fields:     []chassis.FieldViolation{{Field: "a.b[0]", Description: "too much", Reason: "HIGH"}, {Field: "c"}},
		RetryAfter: 1500 * time.Millisecond, Localized: chassis.Localized{Locale: "de", Message: "heute nicht mehr"},
		Metadata: map[string]string{"limit": "10"},
	}
}

const hidden = "postgres://admin:hunter2@db"

// errorCases are what a handler returns, and what its caller gets of it.
var errorCases = map[string]struct {
	returned error
	want     chassis.Error
}{
	"everything": {full(), *full()},
	"a cause":    {&chassis.Error{Code: codes.Aborted, Message: "m", Cause: errors.New(hidden)}, chassis.Error{Code: codes.Aborted, Message: "m"}},
	"wrapped":    {fmt.Errorf("%s: %w", hidden, full()), *full()},
	"wrapped twice, with a cause": {
		fmt.Errorf("%s: %w", hidden, fmt.Errorf("%w of %s", &chassis.Error{Code: codes.Aborted, Cause: errors.New(hidden)}, hidden)),
		chassis.Error{Code: codes.Aborted},
	},
	"joined":             {errors.Join(errors.New(hidden), full()), *full()},
	"caused by a status": {&chassis.Error{Code: codes.Aborted, Cause: status.Error(codes.NotFound, hidden)}, chassis.Error{Code: codes.Aborted}},
	"a wrapped status":   {fmt.Errorf("%s: %w", hidden, status.Error(codes.NotFound, "m")), chassis.Error{Code: codes.NotFound, Message: "m"}},
	"without a code":     {&chassis.Error{Message: "m"}, chassis.Error{Code: codes.Unknown, Message: "m"}},
	"text that is no UTF-8": {
		&chassis.Error{Code: codes.Aborted, Message: "a\xff", Reason: "b\xff", Metadata: map[string]string{"c\xff": "d\xff"}},
		chassis.Error{Code: codes.Aborted, Message: "a\ufffd", Reason: "b\ufffd", Metadata: map[string]string{"c\ufffd": "d\ufffd"}},
	},
	"a reason": {chassis.Reason(echo.Busy), chassis.Error{Code: codes.Unavailable, Domain: "test.v1", Reason: "BUSY", Message: "BUSY"}},
}

// fails is a service whose calls fail with what is returned at that moment; streams after one
// answer.
func fails(returned func() error) chassis.Service {
	return echoes(&echo.Service{
		OnSay: func(context.Context, string) (string, error) { return "", returned() },
		OnList: func(_ context.Context, _ string, send func(string) error) error {
			return errors.Join(send("one"), returned())
		},
	})
}

func TestErrorsByGRPC(t *testing.T) {
	t.Parallel()
	var returned error
	svc := start(t, fails(func() error { return returned }), nil)
	conn := svc.Conn()
	for name, test := range errorCases {
		t.Run(name, func(t *testing.T) {
			returned = test.returned
			_, unary := echo.Say(t.Context(), conn, "")
			answers, stream := echo.ListAll(t.Context(), conn, "")
			if len(answers) != 1 {
				t.Errorf("got %q before the error", answers)
			}
			for kind, err := range map[string]error{"unary": unary, "stream": stream} {
				var got *chassis.Error
				if !errors.As(err, &got) || !proto.Equal(got.GRPCStatus().Proto(), test.want.GRPCStatus().Proto()) || got.Cause != nil {
					t.Errorf("%s: got %#v, want %#v", kind, err, test.want)
				}
				st, ok := status.FromError(err)
				if !ok || st.Code() != test.want.Code || st.Message() != test.want.Message || strings.Contains(st.String(), "hunter2") {
					t.Errorf("%s: the status is %v, %t", kind, st, ok)
				}
				if strings.Contains(fmt.Sprint(st.Proto()), "hunter2") {
					t.Errorf("%s: the cause has reached the caller: %v", kind, st.Proto())
				}
			}
		})
	}
}

func TestErrorsByREST(t *testing.T) {
	t.Parallel()
	var returned error
	svc := start(t, fails(func() error { return returned }), nil)
	client := svc.HTTP()
	for name, test := range errorCases {
		t.Run(name, func(t *testing.T) {
			returned = test.returned
			unary := do(t, client, "POST", "http://rest/v1/say", `""`)
			stream := do(t, client, "GET", "http://rest/v1/list/x", "")
			if unary.status < 400 || unary.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %s", unary)
			}
			expectAll(t, stream.body, `{"error":{"t`, `"status":`+strconv.Itoa(unary.status)) // type, or title
			for _, body := range []string{unary.body, stream.body} {
				if strings.Contains(body, "hunter2") {
					t.Errorf("the cause has reached the caller: %s", body)
				}
			}
		})
	}
}

func TestErrorAsProblem(t *testing.T) {
	t.Parallel()
	svc := start(t, fails(func() error { return full() }), nil)
	got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `""`)
	want := `{"type":"urn:x-error:test.v1:NO_MORE","title":"Too Many Requests","status":429,"detail":"no more today",` +
		`"code":"RESOURCE_EXHAUSTED","domain":"test.v1","reason":"NO_MORE",` +
		`"errors":[{"field":"a.b[0]","detail":"too much","reason":"HIGH"},{"field":"c"}],"retry_after_seconds":2,"trace_id":"` +
		got.header.Get("Trace-Id") + `"}`
	if got.body != want {
		t.Errorf("got\n\t%s\nwant\n\t%s", got.body, want)
	}
	if got.header.Get("Retry-After") != "2" || got.header.Get("Vary") != "Accept-Language" || got.header.Get("Content-Language") != "" {
		t.Errorf("the header is %v", got.header)
	}
	german := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `""`, "Accept-Language", "de-AT, en;q=0.5")
	expectAll(t, german.body, `"detail":"heute nicht mehr"`)
	if german.header.Get("Content-Language") != "de" {
		t.Errorf("the header is %v", german.header)
	}
}

// The error of a stream under way is the problem that an answer would be, as its last line. What
// has no form in JSON is left out rather than the error.
func TestErrorInARESTStream(t *testing.T) {
	t.Parallel()
	withForeign := full().GRPCStatus().Proto()
	withForeign.Details[0].TypeUrl = "type.googleapis.com/no.Such"
	svc := start(t, fails(func() error { return status.ErrorProto(withForeign) }), nil)
	got := do(t, svc.HTTP(), "GET", "http://rest/v1/list/x", "")
	want := `{"result":"one"}` + "\n" + `{"error":{"title":"Too Many Requests","status":429,"detail":"no more today","code":"RESOURCE_EXHAUSTED",` +
		`"errors":[{"field":"a.b[0]","detail":"too much","reason":"HIGH"},{"field":"c"}],"retry_after_seconds":2,"trace_id":"` + got.header.Get("Trace-Id") + `"}}` + "\n"
	if got.body != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	german := do(t, svc.HTTP(), "GET", "http://rest/v1/list/x", "", "Accept-Language", "de-AT, en;q=0.5")
	expectAll(t, german.body, `"detail":"heute nicht mehr"`)
	if strings.Contains(got.body, "no.Such") {
		t.Errorf("got %s", got.body)
	}
}

func TestTokensAreAskedFor(t *testing.T) {
	t.Parallel()
	service := fails(func() error { return &chassis.Error{Code: codes.Unauthenticated} })
	without := start(t, service, nil)
	service.Tokens = noToken{}
	with := start(t, service, nil)
	for want, client := range map[string]*http.Client{"": without.HTTP(), "Bearer": with.HTTP()} {
		got := do(t, client, "POST", "http://rest/v1/say", `""`)
		if got.status != 401 || got.header.Get("WWW-Authenticate") != want {
			t.Errorf("got %s with WWW-Authenticate %q, want %q", got, got.header.Get("WWW-Authenticate"), want)
		}
	}
}

type noToken struct{}

func (noToken) Verify(context.Context, string) (string, error) { return "", errors.New("no") }

// A service calls another and returns its error: the caller of the first can tell what the second
// said.
func TestErrorAcrossAHop(t *testing.T) {
	t.Parallel()
	help := &errdetails.Help{Links: []*errdetails.Help_Link{{Url: "https://example.org"}}}
	back := start(t, fails(func() error {
		e := chassis.Reason(echo.TooLong)
		e.Fields = []chassis.FieldViolation{{Field: "value", Description: "too long"}}
		e.Cause = errors.New(hidden)
		st, err := e.GRPCStatus().WithDetails(help)
		return errors.Join(err, st.Err())
	}), nil)
	conn := back.ConnAs("front")
	var seen error
	front := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		_, seen = echo.Say(ctx, conn, text)
		return "", fmt.Errorf("%s: %w", hidden, seen)
	}}), nil)

	_, err := echo.Say(t.Context(), front.Conn(), "hi")
	for who, err := range map[string]error{"the service between": seen, "its caller": err} {
		var e *chassis.Error
		if !errors.Is(err, chassis.Reason(echo.TooLong)) || errors.Is(err, chassis.Reason(echo.Busy)) || !errors.As(err, &e) {
			t.Fatalf("%s got %v, want TOO_LONG", who, err)
		}
		if len(e.Fields) != 1 || e.Fields[0].Field != "value" || e.Message != "the text is too long" || e.Cause != nil {
			t.Errorf("%s got %+v", who, e)
		}
		details := status.Convert(err).Details()
		if last, ok := details[len(details)-1].(*errdetails.Help); !ok || !proto.Equal(last, help) {
			t.Errorf("%s got the details %v, want the help that this chassis knows nothing of among them", who, details)
		}
	}
}

func TestErrorsThatAreNoStatusStayAsTheyAre(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	stream, err := echo.List(t.Context(), svc.Conn(), "hi")
	for err == nil {
		_, err = stream.Recv()
	}
	if err != io.EOF { //nolint:errorlint // generated code compares
		t.Errorf("the stream ended with %v, want io.EOF itself", err)
	}
}

func TestErrorIs(t *testing.T) {
	none := (*chassis.Error)(nil)
	for _, test := range []struct {
		a, b error
		want bool
	}{
		{&chassis.Error{Domain: "d", Reason: "R", Code: codes.Aborted}, &chassis.Error{Domain: "d", Reason: "R", Code: codes.NotFound}, true},
		{&chassis.Error{Domain: "d", Reason: "R"}, &chassis.Error{Domain: "e", Reason: "R"}, false},
		{&chassis.Error{Domain: "d", Reason: "R"}, &chassis.Error{Domain: "d", Reason: "S"}, false},
		{&chassis.Error{Reason: "R"}, &chassis.Error{Reason: "R"}, false},
		{&chassis.Error{Domain: "d"}, &chassis.Error{Domain: "d"}, false},
		{&chassis.Error{}, &chassis.Error{}, false},
		{&chassis.Error{Cause: io.EOF}, io.EOF, true},
		{&chassis.Error{Domain: "d", Reason: "R"}, none, false},
		{none, &chassis.Error{Domain: "d", Reason: "R"}, false},
	} {
		if got := errors.Is(test.a, test.b); got != test.want {
			t.Errorf("%v is %v: got %t, want %t", test.a, test.b, got, test.want)
		}
	}
}

func TestErrorOfNothing(t *testing.T) {
	for name, err := range map[string]error{
		"nil": nil, "no status": io.EOF, "a nil Error": (*chassis.Error)(nil), "OK": okay{}, "a context's end": context.Canceled,
	} {
		if e, ok := chassis.ErrorOf(err); ok || e != nil {
			t.Errorf("%s: got %v, %t", name, e, ok)
		}
	}
}

type okay struct{}

func (okay) Error() string              { return "okay" }
func (okay) GRPCStatus() *status.Status { return nil }

func TestNilErrorIsOneOfTheService(t *testing.T) {
	t.Parallel()
	svc := start(t, fails(func() error { return (*chassis.Error)(nil) }), nil)
	if _, err := echo.Say(t.Context(), svc.Conn(), ""); !errorID.MatchString(messageOf(t, err)) {
		t.Errorf("got %v, want an id", err)
	}
}

// A nil pointer returned as an error is a common mistake, and panics only when somebody asks it for
// its text.
func TestErrorThatPanicsWhenAsked(t *testing.T) {
	t.Parallel()
	svc := start(t, fails(func() error { return (*custom)(nil) }), nil)
	if _, err := echo.Say(t.Context(), svc.Conn(), ""); !errorID.MatchString(messageOf(t, err)) {
		t.Errorf("got %v, want an id", err)
	}
	if got := svc.Metric("chassis_panics_total", "where", "rpc"); got != 1 {
		t.Errorf("counted %v panics, want 1", got)
	}
}

type custom struct{ text string }

func (c *custom) Error() string { return c.text }

// What the caller does not get is in the log.
func TestCauseIsLogged(t *testing.T) {
	t.Parallel()
	svc := start(t, fails(func() error { return &chassis.Error{Code: codes.Unavailable, Cause: errors.New("disk full")} }), nil)
	_, _ = echo.Say(t.Context(), svc.Conn(), "")
	if lines := svc.Logs("handler's error has a cause"); len(lines) != 1 || lines[0]["error"] != "Unavailable: disk full" {
		t.Errorf("got %v", lines)
	}
}

func TestReasonRefuses(t *testing.T) {
	for value, want := range map[protoreflect.Enum]string{
		echo.Undeclared: "UNDECLARED of test.v1.ErrorReason in test/v1/echo.proto has no option (paddock.v1.reason)",
		echo.NoCode:     `NO_CODE of test.v1.ErrorReason in test/v1/echo.proto: (paddock.v1.reason).code is "", expected`,
		echo.WrongCode:  `code is "NotFound", expected the name of a gRPC code other than OK, such as NOT_FOUND`,
		echo.OK:         `code is "OK", expected`,
		echo.Numeric:    `code is "5", expected`,
		echo.Missing:    "reason 8: test.v1.ErrorReason in test/v1/echo.proto has no such value",
		nil:             "Reason is called with nil",
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got the panic %s, want %s", got, want)
				}
			}()
			chassis.Reason(value)
		}()
	}
}
