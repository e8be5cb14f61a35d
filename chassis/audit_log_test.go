package chassis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/gate"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

// audited is a service with methods of all policies, plain handlers, and an audit log in a file.
type audited struct {
	*chassistest.Running
	ca   *chassistest.CA
	path string
}

func startAudited(t *testing.T, settings env) *audited {
	t.Helper()
	a := &audited{ca: chassistest.NewCA(t), path: filepath.Join(t.TempDir(), "audit.log")}
	all := env{"CHASSIS_AUDIT_LOG": "all", "CHASSIS_AUDIT_LOG_FILE": a.path, "CHASSIS_HTTP_TLS": "true"}
	maps.Copy(all, settings)
	service := gated()
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) error {
		app.Handle("POST /refund/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		}), "web", "user:alice")
		app.Handle("GET /own", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		return setup(ctx, app)
	}
	a.Running = chassistest.Start(t, service, chassistest.Options{CA: a.ca, Env: all})
	return a
}

// records stops the service and returns what it has recorded of calls, without what differs from
// run to run.
func (a *audited) records(t *testing.T) []map[string]any {
	t.Helper()
	a.Stop()
	return recordsIn(t, a.path)
}

func recordsIn(t *testing.T, path string) (records []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	number := 0.0
	for line := range strings.Lines(string(text)) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if number++; r["number"] != number {
			t.Errorf("record %v has the number %v", number, r["number"])
		}
		if r["event"] == "begin" || r["event"] == "end" {
			records = append(records, r)
		}
	}
	return records
}

// texts are the records in short, one each.
func texts(records []map[string]any) (short []string) {
	for _, r := range records {
		var parts []string
		for _, key := range []string{"event", "protocol", "method", "requested", "caller", "user", "decision", "reason", "would_deny", "detail", "code", "status"} {
			if v, ok := r[key]; ok {
				parts = append(parts, fmt.Sprint(v))
			}
		}
		short = append(short, strings.Join(parts, " "))
	}
	return short
}

func expectTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got the records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Who called what, and what was decided: each identity by each way.
func TestAuditLogOfEachIdentity(t *testing.T) {
	t.Parallel()
	const (
		named   = "test.gate.v1.GateService/Named"
		alices  = "test.gate.v1.GateService/Alice"
		foreign = "spiffe://other.example/web"
	)
	byGRPC := func(t *testing.T, a *audited, as string) {
		config := withoutID(a.Running, a.ca)
		if as != "" {
			config = a.TLSAs(as)
		}
		conn := a.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(config)))
		_ = conn.Invoke(t.Context(), gate.Unary("Named"), new(emptypb.Empty), new(emptypb.Empty)) // the record tells how it went
	}
	byHTTP := func(path, method string) func(t *testing.T, a *audited, as string) {
		return func(t *testing.T, a *audited, as string) {
			config, header := withoutCertificate(a.Running), []string(nil)
			if token, ok := strings.CutPrefix(as, "token "); ok {
				header = bearer(token)
			} else if as != "" {
				config = a.TLSAs(as)
			}
			do(t, a.HTTPWith(config), method, "https://rest"+path, "", header...)
		}
	}
	for _, row := range []struct {
		way  string
		call func(t *testing.T, a *audited, as string)
		want map[string]string
	}{
		{"gRPC", byGRPC, map[string]string{
			"":        "end grpc " + named + " nobody deny unauthenticated UNAUTHENTICATED",
			"web":     "end grpc " + named + " spiffe://test/web allow OK",
			"wallet":  "end grpc " + named + " spiffe://test/wallet deny denied PERMISSION_DENIED",
			"foreign": "end grpc " + named + " " + foreign + " deny denied PERMISSION_DENIED",
		}},
		{"REST", byHTTP("/unary/Alice", "GET"), map[string]string{
			"":                  "end http " + alices + " nobody deny unauthenticated UNAUTHENTICATED",
			"web":               "end http " + alices + " spiffe://test/web deny denied PERMISSION_DENIED",
			"token forged":      "end http " + alices + " nobody deny unauthenticated UNAUTHENTICATED",
			"token token-alice": "end http " + alices + " user:alice alice allow OK",
			"token token-bob":   "end http " + alices + " user:bob bob deny denied PERMISSION_DENIED",
			"foreign":           "end http " + alices + " " + foreign + " deny denied PERMISSION_DENIED",
		}},
		{"a plain handler", byHTTP("/refund/7?card=4711", "POST"), map[string]string{
			"":                  "end http POST /refund/{id} nobody deny unauthenticated 401",
			"web":               "end http POST /refund/{id} spiffe://test/web allow 200",
			"wallet":            "end http POST /refund/{id} spiffe://test/wallet deny denied 403",
			"token forged":      "end http POST /refund/{id} nobody deny unauthenticated 401",
			"token token-alice": "end http POST /refund/{id} user:alice alice allow 200",
			"foreign":           "end http POST /refund/{id} " + foreign + " deny denied 403",
		}},
	} {
		t.Run(row.way, func(t *testing.T) {
			t.Parallel()
			a := startAudited(t, env{"CHASSIS_LOG_LEVEL": "ERROR", "CHASSIS_LOG_REQUESTS": "none", "OTEL_TRACES_SAMPLER": "always_off"})
			var want []string
			for _, as := range slices.Sorted(maps.Keys(row.want)) {
				want = append(want, row.want[as])
				if as == "foreign" {
					as = foreign
				}
				row.call(t, a, as)
			}
			records := a.records(t)
			expectTexts(t, texts(records), want...)
			for _, r := range records {
				if r["service"] != "gate" || r["address"] == "" || len(fmt.Sprint(r["trace_id"])) != 32 || len(fmt.Sprint(r["span_id"])) != 16 || r["duration_seconds"] == nil || r["time"] == "" {
					t.Errorf("something is missing in %v", r)
				}
				if text := fmt.Sprint(r); strings.Contains(text, "4711") || strings.Contains(text, "forged") {
					t.Errorf("what the caller has sent is in %v", r)
				}
			}
		})
	}
}

// What is no ordinary call: one of nothing there is, a stream, one that its handler denies, what
// the audit mode of authorization lets in, a probe.
func TestAuditLogOfOtherCalls(t *testing.T) {
	t.Parallel()
	a := startAudited(t, env{"CHASSIS_AUTHORIZATION": "audit", "CHASSIS_RATE_LIMIT": "limited=1/m"})
	conn, web := a.ConnAs("web"), a.HTTPAs("web")
	invoke := func(conn *grpc.ClientConn, method string, want codes.Code) {
		t.Helper()
		if err := conn.Invoke(t.Context(), method, new(emptypb.Empty), new(emptypb.Empty)); status.Code(err) != want {
			t.Errorf("%s: got %v, want %v", method, err, want)
		}
	}
	invoke(conn, "/not.There/Is\u202e"+strings.Repeat("x", 500), codes.Unimplemented)
	do(t, web, "GET", "https://rest/not/there?token=4711", "")
	streamToItsEnd(t, conn, gate.Stream("Public"))
	do(t, web, "GET", "https://rest/own", "")
	invoke(a.ConnAs("wallet"), gate.Unary("Named"), codes.OK)
	invoke(conn, "/grpc.health.v1.Health/Check", codes.OK)
	limited := a.ConnAs("limited")
	invoke(limited, gate.Unary("Public"), codes.OK)
	invoke(limited, gate.Unary("Public"), codes.ResourceExhausted)

	got := texts(a.records(t))
	if len(got) == 0 || !strings.HasPrefix(got[0], "end grpc _OTHER /not.There/Is\u202exxx") || len(got[0]) > 400 {
		t.Errorf("of a method that is not there: %q", got)
	}
	expectTexts(t, got[1:],
		"end http _OTHER GET /not/there spiffe://test/web deny unknown_method 404",
		"begin grpc test.gate.v1.GateService/PublicStream spiffe://test/web allow",
		"end grpc test.gate.v1.GateService/PublicStream spiffe://test/web allow OK",
		"end http GET /own spiffe://test/web deny handler 403",
		"end grpc test.gate.v1.GateService/Named spiffe://test/wallet allow denied OK",
		"end grpc test.gate.v1.GateService/Public spiffe://test/limited allow OK",
		"end grpc test.gate.v1.GateService/Public spiffe://test/limited deny rate_limited RESOURCE_EXHAUSTED",
	)
}

// streamToItsEnd returns when the call is over, and so recorded.
func streamToItsEnd(t *testing.T, conn *grpc.ClientConn, method string) {
	t.Helper()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(stream.SendMsg(new(emptypb.Empty)), stream.CloseSend())
	for err == nil {
		err = stream.RecvMsg(new(emptypb.Empty))
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("%s: got %v", method, err)
	}
}

// With denied, calls that are let in leave nothing, and changes by the admin port do.
func TestAuditLogOfDeniedCallsAndChanges(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string][]string{
		"denied": {
			"end grpc test.gate.v1.GateService/Named spiffe://test/wallet deny denied PERMISSION_DENIED",
			"end admin PUT /debug/log-level spiffe://test/ops-anna allow log level error for 1m0s 200",
			"end admin POST /debug/faults spiffe://test/ops-anna allow faults set: test.gate.v1.GateService/Public: UNAVAILABLE 200",
			"end admin DELETE /debug/faults spiffe://test/ops-anna allow faults ended: all 200",
			"end admin PUT /debug/log-level spiffe://test/web deny denied 403",
			"end admin GET /debug/config spiffe://test/web deny denied 403",
		},
		"all": {
			"end grpc test.gate.v1.GateService/Named spiffe://test/web allow OK",
			"end grpc test.gate.v1.GateService/Named spiffe://test/wallet deny denied PERMISSION_DENIED",
			"end admin PUT /debug/log-level spiffe://test/ops-anna allow log level error for 1m0s 200",
			"end admin POST /debug/faults spiffe://test/ops-anna allow faults set: test.gate.v1.GateService/Public: UNAVAILABLE 200",
			"end admin DELETE /debug/faults spiffe://test/ops-anna allow faults ended: all 200",
			"end admin GET /debug/pprof/heap spiffe://test/ops-anna allow 200",
			"end admin PUT /debug/log-level spiffe://test/web deny denied 403",
			"end admin GET /debug/config spiffe://test/web deny denied 403",
		},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			a := startAudited(t, env{
				"CHASSIS_AUDIT_LOG": policy, "CHASSIS_ADMIN_TLS": "true", "CHASSIS_DEBUG_CALLERS": "ops-*", "CHASSIS_DEBUG_LOOPBACK": "false",
			})
			for _, as := range []string{"web", "wallet"} {
				_ = a.ConnAs(as).Invoke(t.Context(), gate.Unary("Named"), new(emptypb.Empty), new(emptypb.Empty)) // the record tells how it went
			}
			anna, web := a.HTTPAs("ops-anna"), a.HTTPAs("web")
			do(t, anna, "PUT", "https://admin/debug/log-level", "level=error&for=1m")
			do(t, anna, "POST", "https://admin/debug/faults", `{"method": "test.gate.v1.GateService/Public", "abort": "UNAVAILABLE", "for": "1m"}`)
			do(t, anna, "DELETE", "https://admin/debug/faults", "")
			do(t, anna, "GET", "https://admin/debug/pprof/heap", "")
			do(t, web, "PUT", "https://admin/debug/log-level", "level=error")
			do(t, web, "GET", "https://admin/debug/config", "")
			do(t, web, "GET", "https://admin/readyz", "")
			do(t, web, "GET", "https://admin/metrics", "")
			expectTexts(t, texts(a.records(t)), want...)
		})
	}
}

// Where nothing may run that is not recorded, a call that runs is in the file before its handler
// does; while the file cannot be written calls and changes are refused, the service is not ready,
// and says why; then it is as before.
func TestAuditLogThatRefuses(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(folder, "audit.log")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var ran []string // what is recorded when a handler runs
	note := func() {
		text, _ := os.ReadFile(path)
		ran = append(ran, string(text))
	}
	svc := start(t, echoes(&echo.Service{OnSay: func(_ context.Context, text string) (string, error) {
		note()
		return text, nil
	}}, func(app *chassis.App) {
		app.HandlePublic("GET /plain", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { note() }))
	}), env{"CHASSIS_AUDIT_LOG": "all", "CHASSIS_AUDIT_LOG_MODE": "refuse", "CHASSIS_AUDIT_LOG_FILE": path, "CHASSIS_LOG_FORMAT": "json"})
	conn, client := svc.ConnAs("web"), svc.HTTP()
	for n, call := range []func() string{
		func() string { _, err := echo.Say(t.Context(), conn, "x"); return status.Code(err).String() },
		func() string { return fmt.Sprint(do(t, client, "POST", "http://rest/v1/say", `"x"`).status) },
		func() string { return fmt.Sprint(do(t, client, "GET", "http://rest/plain", "").status) },
	} {
		if got := call(); got != "OK" && got != "200" {
			t.Fatalf("call %d: got %s", n, got)
		}
		if len(ran) != n+1 || strings.Count(ran[n], `"event":"begin"`) != n+1 {
			t.Fatalf("call %d runs before it is recorded:\n%s", n, ran[n])
		}
	}

	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	before := len(ran)
	if _, err := echo.Say(t.Context(), conn, "x"); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "cannot be recorded") {
		t.Errorf("gRPC: got %v", err)
	}
	for _, ask := range [][2]string{{"POST", "http://rest/v1/say"}, {"GET", "http://rest/plain"}, {"PUT", "http://admin/debug/log-level?level=debug"}} {
		if got := do(t, client, ask[0], ask[1], ""); got.status != http.StatusServiceUnavailable {
			t.Errorf("%s: got %s", ask[1], got)
		}
	}
	if len(ran) != before {
		t.Errorf("%d handlers ran unrecorded", len(ran)-before)
	}
	until(t, "the service is not ready", func() bool { return do(t, client, "GET", "http://admin/readyz", "").status == 503 })
	if got := do(t, client, "GET", "http://admin/livez", ""); got.status != 200 {
		t.Errorf("a service that refuses is alive: got %s", got)
	}
	if got := do(t, client, "GET", "http://admin/readyz?verbose", ""); !strings.Contains(got.body, "audit-log") {
		t.Errorf("the probe does not name the check: %s", got)
	}
	if got := svc.Metric("chassis_rpc_rejected_total", "reason", "unaudited"); got < 3 {
		t.Errorf("%v calls counted as refused for it, want 3", got)
	}
	if lines := svc.Logs("the audit log cannot be written: calls that cannot be recorded are refused"); len(lines) != 1 {
		t.Errorf("%d lines say so, want one: %v", len(lines), lines)
	}

	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	until(t, "calls run again", func() bool { _, err := echo.Say(t.Context(), conn, "back"); return err == nil })
	until(t, "the service is ready", func() bool { return do(t, client, "GET", "http://admin/readyz", "").status == 200 })
	if lines := svc.Logs("the audit log is written again"); len(lines) != 1 {
		t.Errorf("%d lines say so, want one", len(lines))
	}
	svc.Stop()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expectAll(t, string(text), `"reason":"unaudited"`, `"event":"closed"`)
	if got := svc.Metric("chassis_audit_records_total", "result", "dropped"); got != 0 {
		t.Errorf("%v records dropped, want none", got)
	}
}

// On standard output records are whole lines of JSON among the lines of the log, whatever the
// format and the level.
func TestAuditLogOnStandardOutput(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out output
			settings := env{"CHASSIS_AUDIT_LOG": "denied", "CHASSIS_LOG_FORMAT": format, "CHASSIS_ENVIRONMENT": "development", "CHASSIS_MTLS": "off", "CHASSIS_LOG_LEVEL": "ERROR"}
			out.run(t, settings, echoes(&echo.Service{}))
			var records int
			for line := range strings.Lines(out.String()) {
				if !strings.HasPrefix(line, `{"log":"audit"`) {
					continue
				}
				if records++; !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %q", line)
				}
			}
			if records != 2 {
				t.Errorf("%d records, want the first and the last:\n%s", records, out.String())
			}
		})
	}
}

func TestAuditLogSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		settings env
		want     string
	}{
		{env{"CHASSIS_AUDIT_LOG": "yes"}, `CHASSIS_AUDIT_LOG is "yes"`},
		{env{"CHASSIS_AUDIT_LOG": "all", "CHASSIS_AUDIT_LOG_MODE": "block"}, `CHASSIS_AUDIT_LOG_MODE is "block"`},
		{env{"CHASSIS_AUDIT_LOG": "denied", "CHASSIS_AUDIT_LOG_MODE": "refuse"}, "set CHASSIS_AUDIT_LOG=all"},
		{env{"CHASSIS_AUDIT_LOG_FILE": "/tmp/audit.log"}, "CHASSIS_AUDIT_LOG is off"},
		{env{"CHASSIS_AUDIT_LOG": "all", "CHASSIS_AUDIT_LOG_FILE": t.TempDir()}, "CHASSIS_AUDIT_LOG_FILE: "},
	} {
		expectAll(t, startError(t, echoes(&echo.Service{}), test.settings), test.want)
	}
}

// run runs service until it is ready, and ends it.
func (o *output) run(t *testing.T, settings env, service chassis.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.Ready {
			cancel()
		}
	}
	h := &harness.Harness{Environ: []string{}, Output: o}
	for name, value := range settings {
		h.Environ = append(h.Environ, name+"="+value)
	}
	for _, port := range []string{"GRPC", "HTTP", "ADMIN"} {
		h.Environ = append(h.Environ, "CHASSIS_"+port+"_ADDR=localhost:0")
	}
	if err := chassis.Run(harness.With(ctx, h), service); err != nil {
		t.Error(err)
	}
}

// output is standard output.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
