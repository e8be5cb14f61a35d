package chassis_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// Which page may read answers, with and without the credentials of its browser.
func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	const none = ""
	for setting, origins := range map[string]map[string]string{ // Allow-Origin by Origin
		"https://app.example.com, http://localhost:3000": {
			"https://app.example.com": "https://app.example.com", "http://localhost:3000": "http://localhost:3000",
			"http://app.example.com": none, "https://app.example.com:8443": none, "https://example.com": none, "https://app.example.com.evil.example": none,
			"http://localhost:3001": none, "null": none, "": none,
		},
		"https://*.example.com": {
			"https://a.example.com": "https://a.example.com", "https://a.b.example.com": "https://a.b.example.com",
			"https://example.com": none, "https://.example.com": none, "http://a.example.com": none, "https://aexample.com": none,
			"https://a.example.com:8443": none, "https://evil.example/.example.com": none,
		},
		"https://*.example.com:8443": {"https://a.example.com:8443": "https://a.example.com:8443", "https://a.example.com": none},
		"*":                          {"https://any.example": "*", "null": "*"},
	} {
		svc := start(t, speaks(&echo.Service{}), env{"CHASSIS_HTTP_CORS_ORIGINS": setting})
		for origin, want := range origins {
			var header []string
			if origin != "" {
				header = []string{"Origin", origin}
			}
			got := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", "", header...)
			if allowed := got.header.Get("Access-Control-Allow-Origin"); got.status != 200 || allowed != want {
				t.Errorf("%s: %q got %d and %q, want %q", setting, origin, got.status, allowed, want)
			}
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %q may send credentials", setting, origin)
			}
			if varies := slices.Contains(got.header.Values("Vary"), "Origin"); varies != (setting != "*") {
				t.Errorf("%s: %q: Vary is %q", setting, origin, got.header.Values("Vary"))
			}
		}
	}
}

// Off by default: nothing of it is in any answer.
func TestNoCORS(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{}), nil)
	for method, want := range map[string]int{"GET": 200, "OPTIONS": 204} {
		got := do(t, svc.HTTP(), method, "http://rest/v1/say/x", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET")
		for name := range got.header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
				t.Errorf("%s: the answer has %s", method, name)
			}
		}
		if got.status != want {
			t.Errorf("%s got %s", method, got)
		}
	}
}

// A preflight is answered from the routes, without an identity, whether the gateway or Handle has
// them.
func TestPreflights(t *testing.T) {
	t.Parallel()
	service := speaks(&echo.Service{}, func(app *chassis.App) { app.Handle("DELETE /report/{id}", answering("gone"), "web") })
	service.HTTPHeaders = []string{"idempotency-key"}
	svc := start(t, service, env{"CHASSIS_HTTP_CORS_ORIGINS": "https://app.example.com,https://pay.example.com", "CHASSIS_TRUSTED_ORIGINS": "https://pay.example.com"})
	preflight := func(path, origin string) reply {
		return do(t, svc.HTTP(), "OPTIONS", "http://rest"+path, "", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-type")
	}
	for path, methods := range map[string]string{"/v1/say/x": "GET, HEAD, PUT", "/v1/say": "POST", "/report/7": "DELETE"} {
		got := preflight(path, "https://app.example.com")
		if got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != methods || got.header.Get("Access-Control-Max-Age") != "600" {
			t.Errorf("%s: got %s %v", path, got, got.header)
		}
		allowed := strings.Split(got.header.Get("Access-Control-Allow-Headers"), ", ")
		for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Request-Timeout", "Traceparent"} {
			if !slices.Contains(allowed, name) {
				t.Errorf("%s: %s is not allowed", path, name)
			}
		}
		if got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: credentials are allowed", path)
		}
	}
	if got := preflight("/v1/say", "https://pay.example.com"); got.header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("a trusted origin got %v", got.header)
	}
	if got := preflight("/v2", "https://app.example.com"); got.status != 404 || got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a path that does not exist: got %s %v", got, got.header)
	}
	if got := preflight("/v1/say", "https://evil.example"); got.header.Get("Access-Control-Allow-Origin")+got.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("a foreign page got %v", got.header)
	}
}

// Errors and refusals can be read too, and so can what a handler sets.
func TestCORSOfAnswers(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		if text == "fail" {
			return "", &chassis.Error{Code: codes.NotFound, Message: "no such horse"}
		}
		return text, chassis.SetHTTP(ctx, 201, http.Header{"Location": {"/x"}, "X-Total": {"3"}})
	}}, func(app *chassis.App) { app.Handle("GET /closed", answering("closed"), "web") }),
		env{"CHASSIS_HTTP_CORS_ORIGINS": "https://app.example.com"})
	for path, want := range map[string]int{"/v1/say/x": 201, "/v1/say/fail": 404, "/closed": 401, "/nothing": 404, "/v1/say": 405} {
		got := do(t, svc.HTTP(), "GET", "http://rest"+path, "", "Origin", "https://app.example.com")
		if got.status != want || got.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
			t.Errorf("%s: got %s %v", path, got, got.header)
		}
		shown := strings.Split(strings.Join(got.header.Values("Access-Control-Expose-Headers"), ", "), ", ")
		if !slices.Contains(shown, "Trace-Id") || !slices.Contains(shown, "Location") || slices.Contains(shown, "X-Total") != (want == 201) {
			t.Errorf("%s: a page can read %q", path, shown)
		}
	}
}

func TestCORSMistakes(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"app.example.com", "https://", "https://app.example.com/", "https://app.example.com/x", "https://*", "https://*.com", "https://a*.example.com", "https://*.*.example.com", "null"} {
		if got := startError(t, speaks(&echo.Service{}), env{"CHASSIS_HTTP_CORS_ORIGINS": setting}); !strings.Contains(got, "CHASSIS_HTTP_CORS_ORIGINS") {
			t.Errorf("%s: got %s", setting, got)
		}
	}
}
