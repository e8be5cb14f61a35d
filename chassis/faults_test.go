package chassis_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

func TestFaultsOfTheSettings(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_FAULTS": `[
		{"method": "*/Say", "abort": "UNAVAILABLE", "message": "gone for tea"},
		{"method": "*/List", "peer": "web", "after": 2, "abort": "DATA_LOSS"}]`})
	if _, err := echo.Say(t.Context(), svc.Conn(), "hi"); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC: %v", err)
	}
	got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hi"`)
	if got.status != 503 || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("REST: %s", got)
	}
	expectAll(t, got.body, `"code":"UNAVAILABLE"`, `"detail":"gone for tea"`)
	for as, want := range map[string]struct {
		messages int
		code     codes.Code
	}{"web": {2, codes.DataLoss}, "api": {3, codes.OK}} {
		n, err := messages(t, svc.ConnAs(as))
		if n != want.messages || status.Code(err) != want.code {
			t.Errorf("%s: %d messages and %v, want %d and %s", as, n, err, want.messages, want.code)
		}
	}
	if _, err := healthpb.NewHealthClient(svc.Conn()).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	expectAll(t, fmt.Sprint(svc.Logs("fault set")), "*/Say: UNAVAILABLE", "*/List by web: 2 messages, then DATA_LOSS", "CHASSIS_FAULTS")
	for path, shown := range map[string]string{
		"/debug/": "faults are injected on purpose", "/debug/status.json": `"rule": "*/Say: UNAVAILABLE"`,
		"/metrics": `chassis_faults_injected_total{fault="partial",rpc_method="test.v1.EchoService/List"} 1`,
	} {
		expectAll(t, do(t, svc.HTTP(), "GET", "http://admin"+path, "").body, shown)
	}
}

// messages counts what List answers.
func messages(t *testing.T, cc grpc.ClientConnInterface) (n int, err error) {
	t.Helper()
	stream, err := echo.List(t.Context(), cc, "hi")
	if err != nil {
		t.Fatal(err)
	}
	for ; ; n++ {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

// A reset breaks the connection, with TLS and without, and clients connect again.
func TestFaultsCutConnections(t *testing.T) {
	t.Parallel()
	for _, settings := range []env{{}, {"CHASSIS_MTLS": "off"}} {
		svc := start(t, echoes(&echo.Service{}), settings)
		conn := svc.Conn()
		if _, err := echo.Say(t.Context(), conn, "hi"); err != nil {
			t.Fatal(err)
		}
		setFault(t, svc, `{"method": "*/Say", "reset": true, "for": "1m"}`)
		if _, err := echo.Say(t.Context(), conn, "hi"); status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "injected") {
			t.Errorf("%v: gRPC: %v, want UNAVAILABLE as the client's transport tells it", settings, err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://rest/v1/say", strings.NewReader(`"hi"`))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := svc.HTTP().Do(req); err == nil {
			t.Errorf("%v: REST: answered %s, want a broken connection", settings, resp.Status)
			resp.Body.Close()
		}
		do(t, svc.HTTP(), "DELETE", "http://admin/debug/faults", "")
		if _, err := echo.Say(t.Context(), conn, "hi", grpc.WaitForReady(true)); err != nil {
			t.Errorf("%v: afterwards: %v", settings, err)
		}
	}
}

func setFault(t *testing.T, svc *chassistest.Running, rules string) {
	t.Helper()
	if got := do(t, svc.HTTP(), "POST", "http://admin/debug/faults", rules); got.status != 200 {
		t.Fatalf("setting %s: %s", rules, got)
	}
}

func TestFaultsAtRunTime(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	client := svc.HTTP()
	for _, step := range []struct {
		method, query, body string
		status              int
		says                string
	}{
		{"GET", "", "", 200, `"faults": []`},
		{"POST", "", `{"method":"*","abort":"ABORTED"}`, 400, `for: ""`},
		{"POST", "", `{"method":"*","abort":"ABORTED","for":"2h"}`, 400, `for: "2h"`},
		{"POST", "", `{"method":"*/Shout","abort":"ABORTED","for":"1m"}`, 400, `"*/Shout" names no registered method`},
		{"POST", "", ``, 400, "the body has no rule"},
		{"POST", "", `[]`, 400, "the body has no rule"},
		{"POST", "", `{"method":"` + strings.Repeat("x", 20_000) + `"}`, 400, "at most 16384 bytes"},
		{"POST", "", `[{"method":"*/Say","abort":"ABORTED","for":"1m"},{"method":"*/List","delay":"1s","for":"1h"}]`, 200, `"id": 2`},
		{"GET", "", "", 200, `"text": "*/List: 1s late"`},
		{"DELETE", "?id=2", "", 200, `"text": "*/Say: ABORTED"`},
		{"DELETE", "?id=2", "", 404, "no rule 2 is in force"},
		{"DELETE", "?id=all", "", 400, `id is "all"`},
		{"PUT", "", "", 405, ""},
	} {
		got := do(t, client, step.method, "http://admin/debug/faults"+step.query, step.body)
		if got.status != step.status || !strings.Contains(got.body, step.says) {
			t.Errorf("%s%s %.80s: %s, want %d that says %s", step.method, step.query, step.body, got, step.status, step.says)
		}
	}
	if _, err := echo.Say(t.Context(), svc.Conn(), "hi"); status.Code(err) != codes.Aborted {
		t.Errorf("under the fault: %v", err)
	}
	if got := do(t, client, "DELETE", "http://admin/debug/faults", ""); got.status != 200 {
		t.Errorf("ending all: %s", got)
	}
	if _, err := echo.Say(t.Context(), svc.Conn(), "hi"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if set, ended := svc.Logs("fault set"), svc.Logs("fault ended"); len(set) != 2 || len(ended) != 2 {
		t.Errorf("logged %v and %v, want two faults set and ended", set, ended)
	}
}

func TestFaultsInProduction(t *testing.T) {
	t.Parallel()
	expectAll(t, startError(t, echoes(&echo.Service{}), env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_FAULTS": `{"method":"*","reset":true}`}),
		"CHASSIS_FAULTS is set, but production does not start with faults")

	const rule = `{"method":"*/Say","abort":"ABORTED","for":"1m"}`
	for _, tc := range []struct {
		settings env
		as, url  string
		want     int
	}{
		{env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*"}, "ops-anna", "https://admin", 200},
		{env{"CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*"}, "web", "https://admin", 403},
		{env{"CHASSIS_ADMIN_TLS": "true"}, "ops-anna", "https://admin", 403},
		{env{}, "ops-anna", "http://admin", 403},
	} {
		tc.settings["CHASSIS_ENVIRONMENT"], tc.settings["CHASSIS_DRAIN_DELAY"] = "production", "0s"
		svc := start(t, echoes(&echo.Service{}), tc.settings)
		client := svc.HTTPAs(tc.as)
		if got := do(t, client, "POST", tc.url+"/debug/faults", rule); got.status != tc.want {
			t.Errorf("%v by %s: %s, want %d", tc.settings, tc.as, got, tc.want)
		} else if got.status == 403 {
			expectAll(t, got.body, "CHASSIS_ADMIN_TLS=true", "CHASSIS_DEBUG_CALLERS")
		}
		if got := do(t, client, "GET", tc.url+"/debug/faults", ""); got.status != 200 {
			t.Errorf("%v: looking at them: %s", tc.settings, got)
		}
		if got := do(t, client, "DELETE", tc.url+"/debug/faults", ""); got.status != 200 {
			t.Errorf("%v: ending them: %s", tc.settings, got)
		}
		if tc.want == 200 {
			expectAll(t, fmt.Sprint(svc.Logs("fault set")), "spiffe://test/ops-anna")
		}
	}
}

func TestFaultsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"method":"*","delay":"1h"}`:         `CHASSIS_FAULTS: rule 1: delay: "1h"`,
		`{"method":"*/Shout","reset":true}`:   `CHASSIS_FAULTS: rule 1: method: "*/Shout" names no registered method`,
		`{"method":"*","reset":true,"x":"y"}`: `unknown field "x"`,
	} {
		expectAll(t, startError(t, echoes(&echo.Service{}), env{"CHASSIS_FAULTS": text}), says)
	}
}

func TestRateLimitSetting(t *testing.T) {
	t.Parallel()
	expectAll(t, startError(t, echoes(&echo.Service{}), env{"CHASSIS_RATE_LIMIT": "lots"}), `CHASSIS_RATE_LIMIT: limit 1, "lots": expected a number of calls`)

	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_RATE_LIMIT": "web=1/h, spiffe://test/*=2/h, *=3/h"})
	for as, want := range map[string]int{"web": 1, "api": 2, "other": 2} {
		passed := 0
		for range 5 {
			if _, err := echo.Say(t.Context(), svc.ConnAs(as), "hi"); err == nil {
				passed++
			} else if status.Code(err) != codes.ResourceExhausted {
				t.Error(err)
			}
		}
		if passed != want {
			t.Errorf("%s: %d of 5 calls passed, want %d", as, passed, want)
		}
	}
	var answers []string
	for range 4 {
		got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hi"`)
		answers = append(answers, fmt.Sprint(got.status, got.header.Get("RateLimit"), got.header.Get("RateLimit-Policy"), got.header.Get("Retry-After") != ""))
	}
	expectAll(t, strings.Join(answers, "\n"), `200"caller";r=2;t=1200"caller";q=3;w=3600false`, `200"caller";r=0`, `429"caller";r=0`, "true")
}
