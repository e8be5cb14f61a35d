package chassis_test

import (
	"context"
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/gate"
	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/inbound"
)

// debugStatus asks for a debug page as from elsewhere, which is what makes the guard look at who
// asks.
func debugStatus(t *testing.T, svc *chassistest.Running, as string) int {
	t.Helper()
	return do(t, svc.HTTPAs(as), "GET", "https://admin/debug/status.json", "", "X-Forwarded-For", "10.0.0.1").status
}

func TestDebugCallers(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{
		"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*,prometheus,spiffe://elsewhere.org/team/*",
	})
	for as, want := range map[string]int{
		"ops-anna":                          200,
		"prometheus":                        200,
		"spiffe://elsewhere.org/team/robot": 200,
		"web":                               403,
		"prometheus2":                       403,
		"ops":                               403,
		"ops-anna/shell":                    403,
		"spiffe://elsewhere.org/ops-anna":   403,
		"spiffe://elsewhere.org/team":       403,
	} {
		if got := debugStatus(t, svc, as); got != want {
			t.Errorf("%s: got %d, want %d", as, got, want)
		}
	}
}

// The page has the steps that a call takes, from the list that the code is held to.
func TestDebugPageShowsTheStepsOfACall(t *testing.T) {
	t.Parallel()
	page := do(t, start(t, echoes(&echo.Service{}), nil).HTTP(), "GET", "http://admin/debug/", "").body
	_, card, _ := strings.Cut(page, "A call&#39;s way")
	for _, s := range inbound.Steps() {
		_, after, found := strings.Cut(card, ">"+s.Name+"</td>")
		if !found || !strings.Contains(after, html.EscapeString(s.Reason)) {
			t.Fatalf("the page has no step %q behind the one before:\n%s", s.Name, page)
		}
		card = after
	}
}

// Patterns of CHASSIS_DEBUG_CALLERS are those of a contract's callers: no * in a trust domain,
// where it would let in whoever runs an authority, and no users, whom no certificate proves.
func TestDebugCallersFollowTheContract(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"spiffe://*/sre", "spiffe://test*/sre", "spiffe://*", "spiffe://test", "s?e", "[a-z]re", "spiffe://TEST/sre", "user:alice", "../sre", "https://test/sre"} {
		text := startError(t, echoes(&echo.Service{}), env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "web," + pattern})
		expectAll(t, text, fmt.Sprintf("CHASSIS_DEBUG_CALLERS has %q: ", pattern))
	}
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "*"})
	for as, want := range map[string]int{"sre": 200, "team/sre": 403, "spiffe://evil.example/sre": 403, "spiffe://test.evil.example/sre": 403} {
		if got := debugStatus(t, svc, as); got != want {
			t.Errorf("* and %s: got %d, want %d", as, got, want)
		}
	}
}

// Being on the same machine can be taken out of what lets in.
func TestDebugWithoutLoopback(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*", "CHASSIS_DEBUG_LOOPBACK": "false"})
	for as, want := range map[string]int{"ops-anna": 200, "web": 403} {
		for _, path := range []string{"/debug/", "/debug/status.json", "/debug/pprof/heap"} {
			if got := do(t, svc.HTTPAs(as), "GET", "https://admin"+path, ""); got.status != want {
				t.Errorf("%s as %s: %s, want %d", path, as, got, want)
			}
		}
	}
	if got := do(t, svc.HTTPAs("web"), "GET", "https://admin/debug/", ""); !strings.Contains(got.body, "CHASSIS_DEBUG_LOOPBACK is false") {
		t.Errorf("the refusal does not say why: %s", got)
	}
	if got := do(t, svc.HTTPAs("web"), "GET", "https://admin/livez", ""); got.status != 200 {
		t.Errorf("a probe: %s", got)
	}

	closed := start(t, echoes(&echo.Service{}), env{"CHASSIS_DEBUG_LOOPBACK": "false"})
	if got := do(t, closed.HTTP(), "GET", "http://admin/debug/", ""); got.status != 403 {
		t.Errorf("without callers: %s, want 403", got)
	}
}

// In production the log is turned down by an identity alone, as faults are set: a process beside
// the service is none.
func TestLogLevelInProductionNeedsAnIdentity(t *testing.T) {
	t.Parallel()
	identified := env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*"}
	for _, tc := range []struct {
		settings env
		as, url  string
		want     int
	}{
		{identified, "ops-anna", "https://admin", 200},
		{identified, "web", "https://admin", 403},
		{env{"CHASSIS_ADMIN_TLS": "true"}, "ops-anna", "https://admin", 403},
		{env{}, "ops-anna", "http://admin", 403},
	} {
		settings := env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s"}
		maps.Copy(settings, tc.settings)
		svc := start(t, echoes(&echo.Service{}), settings)
		client := svc.HTTPAs(tc.as)
		for _, method := range []string{"PUT", "POST"} {
			got := do(t, client, method, tc.url+"/debug/log-level?level=error&for=1m", "")
			if got.status != tc.want {
				t.Errorf("%v, %s by %s: %s, want %d", tc.settings, method, tc.as, got, tc.want)
			}
			if tc.want == 403 {
				expectAll(t, got.body, "CHASSIS_ADMIN_TLS=true", "CHASSIS_DEBUG_CALLERS")
			}
		}
		if got := do(t, client, "GET", tc.url+"/debug/log-level", ""); got.status != 200 {
			t.Errorf("looking at it: %s", got)
		}
		if refused := len(svc.Logs("admin: debug request refused")); (refused == 2) != (tc.want == 403) {
			t.Errorf("%v by %s: %d lines about refusals", tc.settings, tc.as, refused)
		}
	}
}

// Whoever has turned the log down cannot try doors unseen.
func TestRefusedCallsAreLoggedAboveTheLevel(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		for _, level := range []string{"INFO", "ERROR"} {
			svc := start(t, gated(), env{"CHASSIS_LOG_LEVEL": level, "CHASSIS_LOG_FORMAT": format, "CHASSIS_HTTP_TLS": "true"})
			conn := svc.ConnAs("mallory")
			for range 3 {
				_ = conn.Invoke(t.Context(), gate.Unary("Named"), new(emptypb.Empty), new(emptypb.Empty))
				_ = conn.Invoke(t.Context(), gate.Unary("Public"), new(emptypb.Empty), new(emptypb.Empty))
			}
			do(t, svc.HTTPWith(withoutCertificate(svc)), "GET", "https://rest/unary/Named", "")
			do(t, svc.HTTP(), "GET", "http://admin/debug/", "", "X-Forwarded-For", "203.0.113.9")
			denied, refused := 0, len(svc.Logs("admin: debug request refused"))
			for _, line := range svc.Logs("call") {
				if text := fmt.Sprint(line); strings.Contains(text, "denied") || strings.Contains(text, "unauthenticated") {
					denied++
				}
			}
			if denied != 4 || refused != 1 {
				t.Errorf("%s, %s: %d of 4 refused calls and %d of 1 refused requests for /debug are logged", format, level, denied, refused)
			}
			if calls := len(svc.Logs("call")); level == "ERROR" && calls != 4 {
				t.Errorf("%s: %d lines at ERROR, want none of calls that were let in", format, calls)
			}
		}
	}
}

func TestDebugIsForTheSameMachineUnlessSaid(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_ADMIN_TLS": "true"})
	if got := debugStatus(t, svc, "ops-anna"); got != 403 {
		t.Errorf("from elsewhere: got %d, want 403", got)
	}
	if got := do(t, svc.HTTP(), "GET", "https://admin/debug/status.json", "").status; got != 200 {
		t.Errorf("from this machine: got %d, want 200", got)
	}
	if got := do(t, svc.HTTP(), "GET", "https://admin/livez", "", "X-Forwarded-For", "10.0.0.1").status; got != 200 {
		t.Errorf("a probe: got %d, want 200", got)
	}
}

// Whether the process is in FIPS 140-3 mode is on the page, off as well.
func TestDebugPageSaysWhetherFIPSIsOn(t *testing.T) {
	t.Parallel()
	want := map[bool]string{true: "on", false: "off"}[fips140.Enabled()]
	svc := start(t, echoes(&echo.Service{}), nil)
	expectAll(t, do(t, svc.HTTP(), "GET", "http://admin/debug/", "").body, "FIPS 140-3</dt><dd class=\"mono wrap\">"+want)
	if told := len(svc.Logs("FIPS 140-3 mode is on")) == 1; told != fips140.Enabled() {
		t.Errorf("the log says that the mode is on: %t", told)
	}
}

func TestDebugPageShowsTheService(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}, func(app *chassis.App) {
		app.Go("sweep", func(ctx context.Context) error { <-ctx.Done(); return nil })
		app.Health(health.Check{Name: "database", Probe: func(context.Context) error { return nil }})
	}), nil)
	for _, path := range []string{"/debug/", "/debug/status.json"} {
		got := do(t, svc.HTTP(), "GET", "http://admin"+path, "")
		expectAll(t, got.body, "spiffe://test/echo", "serving", "test.v1.EchoService", "server stream",
			"database", "sweep", "127.0.0.1:9000", "127.0.0.1:8080", "chassistest", "ports_bound")
	}
}

func TestLogLevelChangesAtRunTime(t *testing.T) {
	t.Parallel()
	var app *chassis.App
	svc := start(t, setsUp(func(a *chassis.App) { app = a }), env{"CHASSIS_LOG_LEVEL": "WARN"})
	app.Logger().Info("too low")
	if got := do(t, svc.HTTP(), "PUT", "http://admin/debug/log-level", `{"level":"DEBUG"}`, "Content-Type", "application/json"); got.status != 200 {
		t.Fatalf("got %s", got)
	}
	app.Logger().Debug("now seen")
	if low, seen := len(svc.Logs("too low")), len(svc.Logs("now seen")); low != 0 || seen != 1 {
		t.Errorf("got %d lines before and %d after, want 0 and 1", low, seen)
	}
}

func TestProbesFollowTheChecks(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		app.Health(health.Check{Name: "database", FailAfter: 1, Probe: func(context.Context) error { return context.DeadlineExceeded }})
	}), nil)
	for path, want := range map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503} {
		if got := do(t, svc.HTTP(), "GET", "http://admin"+path, ""); got.status != want {
			t.Errorf("%s: got %s, want %d", path, got, want)
		}
	}
	if e := svc.Events()[len(startOrder)-1]; e.Step != chassis.Ready || e.Detail != "not ready: a health check fails" {
		t.Errorf("got %+v, want it to say that a check holds readiness back", e)
	}
	if svc.Metric("chassis_ready") != 0 {
		t.Error("chassis_ready is 1, want 0")
	}
}

func TestDocsAreServedInDevelopment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  env
		want int
	}{
		{nil, 200},
		{env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_HTTP_TLS": "false", "CHASSIS_DRAIN_DELAY": "0s"}, 404},
		{env{"CHASSIS_HTTP_DOCS": "false"}, 404},
	} {
		svc := start(t, echoes(&echo.Service{}), test.env)
		for _, path := range []string{"/openapi.json", "/docs"} {
			if got := do(t, svc.HTTP(), "GET", "http://rest"+path, ""); got.status != test.want {
				t.Errorf("%v: %s: got %.200s, want %d", test.env, path, got, test.want)
			}
		}
	}
	svc := start(t, echoes(&echo.Service{}), nil)
	var document struct {
		OpenAPI string `json:"openapi"`
		Info    struct{ Title string }
	}
	if err := json.Unmarshal([]byte(do(t, svc.HTTP(), "GET", "http://rest/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.") || document.Info.Title != "echo" {
		t.Errorf("got %+v, want OpenAPI 3 of echo", document)
	}
}

func TestReflectionIsServedInDevelopmentAlone(t *testing.T) {
	t.Parallel()
	const method = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	for _, test := range []struct {
		env  env
		want bool
	}{
		{nil, true},
		{env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s"}, false},
	} {
		svc := start(t, echoes(&echo.Service{}), test.env)
		page := do(t, svc.HTTP(), "GET", "http://admin/debug/status.json", "").body
		if got := strings.Contains(page, method); got != test.want {
			t.Errorf("%v: reflection is served: %t, want %t", test.env, got, test.want)
		}
	}
}

// With mutual TLS off a method that lists no callers takes everybody, and the page says so.
func TestDebugPageSaysWhoMayCall(t *testing.T) {
	t.Parallel()
	override := `{"test.v1.EchoService/Say": {"public": false}}`
	for mtls, want := range map[string]string{"auto": "any service of the own trust domain", "off": "anybody"} {
		svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_MTLS": mtls, "CHASSIS_POLICY_OVERRIDES": override})
		var status struct {
			Methods []struct {
				Name    string
				Callers []string
			}
		}
		text := do(t, svc.HTTP(), "GET", "http://admin/debug/status.json", "").body
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, m := range status.Methods {
			if m.Name == "test.v1.EchoService/Say" {
				found = strings.Join(m.Callers, ", ")
			}
		}
		if found != want {
			t.Errorf("CHASSIS_MTLS=%s: open to %q, want %q", mtls, found, want)
		}
	}
}
