package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/mtls"
)

var errorID = regexp.MustCompile(`^internal error, id ([0-9a-f]{16})$`)

func TestPanicInAHandler(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{
		OnSay: func(_ context.Context, text string) (string, error) {
			if text == "panic" {
				panic("secret cause")
			}
			return text, nil
		},
		OnList: func(_ context.Context, _ string, send func(string) error) error {
			_ = send("first")
			panic("secret cause")
		},
	}), nil)
	conn, client := svc.Conn(), svc.HTTP()
	for _, test := range []struct {
		name string
		call func() (message string)
	}{
		{"unary", func() string {
			_, err := echo.Say(t.Context(), conn, "panic")
			return messageOf(t, err)
		}},
		{"stream", func() string {
			answers, err := echo.ListAll(t.Context(), conn, "")
			if len(answers) != 1 {
				t.Errorf("got %q before the panic, want what was sent", answers)
			}
			return messageOf(t, err)
		}},
		{"REST", func() string {
			got := do(t, client, "POST", "http://rest/v1/say", `"panic"`)
			if got.status != 500 || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %s", got)
			}
			_, detail, _ := strings.Cut(got.body, `"detail":"`)
			detail, _, _ = strings.Cut(detail, `"`)
			return detail
		}},
	} {
		before := len(svc.Logs("handler panicked"))
		match := errorID.FindStringSubmatch(test.call())
		if match == nil {
			t.Errorf("%s: the caller is told something else than an id", test.name)
			continue
		}
		lines := svc.Logs("handler panicked")
		if len(lines) != before+1 {
			t.Fatalf("%s: got %d lines, want one", test.name, len(lines)-before)
		}
		line := lines[before]
		if line["error_id"] != match[1] || line["error"] != "secret cause" || !strings.Contains(fmt.Sprint(line["stack"]), "call_test.go") {
			t.Errorf("%s: got %v, want the id %s, the cause and the stack", test.name, line, match[1])
		}
	}
	if got := svc.Metric("chassis_panics_total", "where", "rpc"); got != 3 {
		t.Errorf("counted %v panics, want 3", got)
	}
	if got, err := echo.Say(t.Context(), conn, "still here"); err != nil || got != "still here" {
		t.Errorf("after the panics: got %q, %v", got, err)
	}
}

// messageOf expects err to be INTERNAL.
func messageOf(t *testing.T, err error) string {
	t.Helper()
	if status.Code(err) != codes.Internal {
		t.Errorf("got %v, want INTERNAL", err)
	}
	return status.Convert(err).Message()
}

func TestPanicInAnHTTPHandler(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /boom", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret cause") }))
	}), nil)
	got := do(t, svc.HTTP(), "GET", "http://rest/boom", "")
	if got.status != 500 || strings.Contains(got.body, "secret") {
		t.Errorf("got %s, want 500 without the cause", got)
	}
	expectAll(t, got.body, "internal error, id ", got.header.Get("Trace-Id"))
	if svc.Metric("chassis_panics_total", "where", "http") != 1 || len(svc.Logs("handler panicked")) != 1 {
		t.Error("the panic is not counted or not logged")
	}
}

func TestErrorThatIsNoStatusStaysInside(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		return "", errors.New("password hunter2 is wrong")
	}}), nil)
	_, err := echo.Say(t.Context(), svc.Conn(), "")
	if !errorID.MatchString(messageOf(t, err)) {
		t.Errorf("got %v, want an id alone", err)
	}
}

func TestInterceptorsOfTheService(t *testing.T) {
	t.Parallel()
	refuse := status.Error(codes.PermissionDenied, "not you")
	service := echoes(&echo.Service{})
	service.UnaryInterceptors = []grpc.UnaryServerInterceptor{
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if req.(*echo.Text).GetValue() == "refuse" {
				return nil, refuse
			}
			return next(ctx, req)
		},
	}
	service.StreamInterceptors = []grpc.StreamServerInterceptor{
		func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { return refuse },
	}
	svc := start(t, service, nil)
	if got, err := echo.Say(t.Context(), svc.Conn(), "hi"); err != nil || got != "hi" {
		t.Errorf("let through: got %q, %v", got, err)
	}
	if _, err := echo.Say(t.Context(), svc.Conn(), "refuse"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("unary: got %v", err)
	}
	if _, err := echo.ListAll(t.Context(), svc.Conn(), "hi"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("stream: got %v", err)
	}
	if got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"refuse"`); got.status != 403 {
		t.Errorf("REST: got %s", got)
	}
	if got := do(t, svc.HTTP(), "GET", "http://rest/v1/list/hi", ""); got.status != 403 || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("REST stream: got %s", got)
	}
	if got := svc.Metric("rpc_server_call_duration_seconds", "rpc_status_code", "PERMISSION_DENIED"); got != 4 {
		t.Errorf("counted %v refusals, want 4", got)
	}
}

func TestCallTimeout(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}), env{"CHASSIS_CALL_TIMEOUT": "10ms"})
	if _, err := echo.Say(t.Context(), svc.Conn(), ""); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v, want DEADLINE_EXCEEDED of the server", err)
	}
}

func TestRESTHandlerDeafToItsDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		<-release
		return "too late", nil
	}}), env{"CHASSIS_HTTP_TIMEOUT": "10ms"})
	got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `""`)
	close(release)
	if got.status != 504 || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %s, want a problem with 504", got)
	}
	expectAll(t, got.body, `"code":"DEADLINE_EXCEEDED"`, got.header.Get("Trace-Id"))
}

func TestLimitsOfMessages(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnSay: func(_ context.Context, text string) (string, error) {
		if text == "much" {
			return strings.Repeat("x", 2000), nil
		}
		return text, nil
	}}), env{"CHASSIS_MAX_MESSAGE_BYTES": "1000"})
	conn, client := svc.Conn(), svc.HTTP()
	large := strings.Repeat("x", 2000)
	if _, err := echo.Say(t.Context(), conn, large); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC request: got %v", err)
	}
	if _, err := echo.Say(t.Context(), conn, "much"); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC answer: got %v", err)
	}
	if got := do(t, client, "POST", "http://rest/v1/say", `"`+large+`"`); got.status != 413 {
		t.Errorf("REST request: got %s", got)
	}
	if got := do(t, client, "POST", "http://rest/v1/say", `"much"`); got.status != 429 && got.status != 500 {
		t.Errorf("REST answer: got %s", got)
	} else {
		expectAll(t, got.body, "the answer is larger than the limit")
	}
	if got := do(t, client, "POST", "http://rest/v1/say", `"hi"`); got.status != 200 {
		t.Errorf("after the refusals: got %s", got)
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", "x", "Content-Encoding", "gzip")
	if got.status != 415 {
		t.Errorf("got %s, want 415", got)
	}
}

func TestSlowBodyIsCut(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_BODY_TIMEOUT": "20ms"})
	body, feed := io.Pipe()
	defer feed.Close() //nolint:errcheck // a pipe
	go func() { _, _ = io.WriteString(feed, `"begun`) }()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://rest/v1/say", body)
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, svc.HTTP(), req); got.status != 408 {
		t.Errorf("got %s, want 408", got)
	}
}

func TestHeadersAreLimited(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_MAX_HEADER_BYTES": "1000"})
	// net/http allows 4096 bytes on top.
	if got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hi"`, "X-Large", strings.Repeat("x", 6000)); got.status != 431 {
		t.Errorf("got %s, want 431", got)
	}
}

func TestIdentityOfRESTCallers(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, _ string) (string, error) {
		id, _ := mtls.PeerID(ctx)
		return id.String(), nil
	}}), env{"CHASSIS_HTTP_TLS": "true"})
	if got := do(t, svc.HTTPAs("web"), "POST", "https://rest/v1/say", `""`); got.body != `"spiffe://test/web"` {
		t.Errorf("got %s, want the caller's identity", got)
	}
	for _, header := range []string{"X-Forwarded-Client-Cert", "Grpc-Metadata-Peer", "X-Spiffe-Id"} {
		nobody := svc.HTTP()
		if got := do(t, nobody, "POST", "https://rest/v1/say", `""`, header, "spiffe://test/admin"); got.body != `"spiffe://test/client"` {
			t.Errorf("%s: got %s, want what was proven and nothing else", header, got)
		}
	}
}

func TestRESTErrorsAreProblems(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		return "", status.Error(codes.NotFound, "no such echo")
	}}), nil)
	for _, test := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/v1/say", `""`, 404, `"code":"NOT_FOUND"`},
		{"POST", "/v1/say", `{`, 400, `"code":"INVALID_ARGUMENT"`},
		{"GET", "/v1/nothing", "", 404, `"title":"Not Found"`},
		{"PUT", "/v1/say", `""`, 405, `"status":405`},
	} {
		got := do(t, svc.HTTP(), test.method, "http://rest"+test.path, test.body)
		if got.status != test.status || got.header.Get("Content-Type") != "application/problem+json" || len(got.header.Get("Trace-Id")) != 32 {
			t.Errorf("%s %s: got %s %v, want a problem with %d", test.method, test.path, got, got.header, test.status)
		}
		expectAll(t, got.body, test.code, got.header.Get("Trace-Id"))
	}
}

func TestUnknownMethodsAreOne(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	conn, client := svc.Conn(), svc.HTTP()
	for n := range 100 {
		if err := conn.Invoke(t.Context(), fmt.Sprintf("/invented.v%d.Service/Method", n), &echo.Text{}, &echo.Text{}); status.Code(err) != codes.Unimplemented {
			t.Fatalf("got %v, want UNIMPLEMENTED", err)
		}
		do(t, client, "GET", fmt.Sprintf("http://rest/invented/%d", n), "", "User-Agent", fmt.Sprint("agent-", n))
	}
	if got := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "_OTHER"); got != 100 {
		t.Errorf("counted %v calls of unknown methods in one series, want 100", got)
	}
	if got := svc.Metric("http_server_request_duration_seconds", "http_route", "", "http_response_status_code", "404"); got != 100 {
		t.Errorf("counted %v requests of unknown paths in one series, want 100", got)
	}
}

// A plain handler may take longer than any call.
func TestPlainHTTPHasNoDeadline(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /files/{name}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, limited := r.Context().Deadline()
			time.Sleep(20 * time.Millisecond) // longer than the deadline of calls, on a real connection
			_, _ = fmt.Fprint(w, r.PathValue("name"), limited)
		}))
	}), env{"CHASSIS_HTTP_TIMEOUT": "1ms"})
	if got := do(t, svc.HTTP(), "GET", "http://rest/files/a", ""); got.String() != "200 afalse" {
		t.Errorf("got %s", got)
	}
	if lines := svc.Logs("request"); len(lines) != 1 || lines[0]["route"] != "/files/{name}" || lines[0]["status"] != 200.0 {
		t.Errorf("got lines %v, want one of the route", lines)
	}
}
