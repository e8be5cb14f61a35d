package chassis_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// worse are the lines at WARN and ERROR, from the start on.
func worse(svc *chassistest.Running) (lines []map[string]any) {
	for _, line := range svc.Logs() {
		if line["level"] == "ERROR" || line["level"] == "WARN" {
			lines = append(lines, line)
		}
	}
	return lines
}

// However often strangers do something wrong, there is no line at ERROR of it, and few at WARN.
func TestStrangersWriteNoErrors(t *testing.T) {
	t.Parallel()
	const times = 40
	svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		if text == "wait" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return text, nil
	}}), env{"CHASSIS_HTTP_TLS": "true", "CHASSIS_MAX_MESSAGE_BYTES": "1000"})
	before := len(worse(svc))
	conn, client := svc.ConnAs("web"), svc.HTTPAs("web")
	nobody := svc.HTTPWith(withoutCertificate(svc))
	gives := func(url string) { // up before there is an answer
		if response, err := client.Get(url); err == nil { //nolint:noctx // it ends at once
			_ = response.Body.Close()
		}
	}
	for name, act := range map[string]func(){
		"unknown method": func() { _ = conn.Invoke(t.Context(), "/any.Thing/Goes", new(echo.Text), new(echo.Text)) },
		"large message":  func() { _, _ = echo.Say(t.Context(), conn, strings.Repeat("x", 2000)) },
		"hurry": func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			_, _ = echo.Say(ctx, conn, "wait")
		},
		"hurry by REST":    func() { do(t, client, "POST", "https://rest/v1/say", `"wait"`, "Request-Timeout", "0.005") },
		"no time by REST":  func() { do(t, client, "POST", "https://rest/v1/say", `"wait"`, "Request-Timeout", "0") },
		"bad path":         func() { do(t, client, "GET", "https://rest/%2e%2e/nothing", "") },
		"bad method":       func() { do(t, client, "PATCH", "https://rest/v1/say", "") },
		"bad body":         func() { do(t, client, "POST", "https://rest/v1/say", `{"`) },
		"compressed body":  func() { do(t, client, "POST", "https://rest/v1/say", `x`, "Content-Encoding", "gzip") },
		"no identity":      func() { do(t, nobody, "POST", "https://rest/v1/say", `"hi"`) },
		"no TLS":           func() { gives("http://rest/v1/list/hi") },
		"TLS at the admin": func() { gives("https://admin/livez") },
		"gone by REST":     func() { gone(t, client, "https://rest/v1/say", `"wait"`) },
		"refused at debug": func() { do(t, nobody, "GET", "http://admin/debug/", "", "X-Forwarded-For", "10.0.0.1") },
	} {
		for range times {
			act()
		}
		if got := worse(svc)[before:]; slices.ContainsFunc(got, func(line map[string]any) bool { return line["level"] == "ERROR" }) || len(got) > times/2 {
			t.Errorf("%s, %d times: %d lines, such as %v", name, times, len(got), got[0])
		}
		before = len(worse(svc))
	}
}

// gone sends a request and does not wait for the answer.
func gone(t *testing.T, client *http.Client, url, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(r); err == nil {
		_ = response.Body.Close()
	}
}

// A resource that is declared is seen on the debug page.
func TestResourcesOnTheDebugPage(t *testing.T) {
	t.Parallel()
	var acquire func(context.Context) (func(), error)
	svc := start(t, setsUp(func(app *chassis.App) {
		var err error
		if acquire, err = app.Resource("db", 10); err != nil {
			t.Error(err)
		}
	}), nil)
	release, err := acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	expectAll(t, do(t, svc.HTTP(), "GET", "http://admin/debug/", "").body, "Resource db", "1 of 10 in use, 0 waiting")
	expectAll(t, do(t, svc.HTTP(), "GET", "http://admin/debug/status.json", "").body, "Resource db")
}

// Who is cut by a stop is told so, and so is everybody who looks.
func TestCutCallsAreTheServers(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"a handler that listens": false, "a deaf handler": true} {
		for scheme, secure := range schemes {
			t.Run(name+" by "+scheme, func(t *testing.T) {
				t.Parallel()
				entered, release := make(chan struct{}, 2), make(chan struct{})
				svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, _ string) (string, error) {
					entered <- struct{}{}
					if deaf {
						<-release
						return "", nil
					}
					<-ctx.Done()
					return "", ctx.Err()
				}}), env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms", "CHASSIS_HTTP_TLS": secure})
				byGRPC, byREST := make(chan error, 1), make(chan reply, 1)
				conn, client := svc.Conn(), svc.HTTP()
				go func() {
					_, err := echo.Say(context.Background(), conn, "")
					byGRPC <- err
				}()
				go func() {
					var got reply
					resp, err := client.Post(scheme+"://rest/v1/say", "application/json", strings.NewReader(`""`)) //nolint:noctx // it ends
					if err == nil {
						body, _ := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						got = reply{resp.StatusCode, resp.Header, string(body)}
					}
					byREST <- got
				}()
				await(t, entered, "the handler is called")
				await(t, entered, "the handler is called")
				svc.RequestStop()
				if err := await(t, byGRPC, "an answer"); status.Code(err) != codes.Unavailable {
					t.Errorf("gRPC: got %v", err)
				}
				got := await(t, byREST, "an answer")
				if got.status != http.StatusServiceUnavailable {
					t.Errorf("REST: got %v", got)
				} else if !deaf || secure == "false" { // HTTP/2 has no end of an answer before its handler's
					expectAll(t, got.body, "the call was cut", "UNAVAILABLE")
				}
				close(release)
				_ = svc.Wait()
				for _, line := range svc.Logs("call") {
					if line["code"] != "UNAVAILABLE" || line["reason"] != "shutdown" || line["level"] != "WARN" {
						t.Errorf("the line is %v", line)
					}
				}
			})
		}
	}
}

// What the contract declares holds by REST as by gRPC, whatever the default for REST is.
func TestDeclaredTimeoutByREST(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	for name, test := range map[string]struct {
		settings env
		want     time.Duration
	}{
		"declared":   {env{"CHASSIS_POLICY_OVERRIDES": `{"test.v1.EchoService/Say": {"timeout": "60s"}}`}, time.Minute},
		"undeclared": {env{}, 8 * time.Second},
		"the other":  {env{"CHASSIS_CALL_TIMEOUT": "4s"}, 4 * time.Second},
	} {
		svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
			at, _ := ctx.Deadline()
			left <- time.Until(at)
			return text, nil
		}}), test.settings)
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hi"`); got.status != http.StatusOK {
			t.Fatalf("%s: %v", name, got)
		}
		if got := await(t, left, "the call"); got > test.want || got < test.want-3*time.Second {
			t.Errorf("%s: the handler has %s, want %s", name, got, test.want)
		}
	}
}
