package chassis_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/health"
)

func scrape(t *testing.T, svc *chassistest.Running) string {
	t.Helper()
	return do(t, svc.HTTP(), "GET", "http://admin/metrics", "").body
}

// What an operator has changed shows, and so does the difference between two instances.
func TestSettingsInMetrics(t *testing.T) {
	t.Parallel()
	hash := regexp.MustCompile(`settings_hash="([0-9a-f]{12})"`)
	of := func(settings env) string {
		svc := start(t, echoes(&echo.Service{}), settings)
		text := scrape(t, svc)
		expectAll(t, text, `chassis_settings_info{admission="on",audit_log="off",authorization="enforce",environment="development",mtls="development",settings_hash="`,
			"chassis_faults_in_force 0")
		found := hash.FindStringSubmatch(text)
		if found == nil {
			t.Fatal("no hash")
		}
		return found[1]
	}
	one, same, other := of(nil), of(nil), of(env{"CHASSIS_MAX_CONNECTIONS": "5"})
	if one != same || one == other {
		t.Errorf("got %s, %s and %s, want the first two equal", one, same, other)
	}
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_AUTHORIZATION": "audit", "CHASSIS_LOG_LEVEL": "WARN", "CHASSIS_FAULTS": `{"method":"*","delay":"1ms"}`})
	expectAll(t, scrape(t, svc), `authorization="audit"`, "chassis_log_level 4", "chassis_faults_in_force 1")
}

// Messages are measured by gRPC as they are on the wire, and not by REST.
func TestMessageSizes(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	conn := svc.Conn()
	for _, text := range []string{"", strings.Repeat("x", 20<<10)} { // a string has a tag and a length of its own, an empty one has neither
		if _, err := echo.Say(t.Context(), conn, text); err != nil {
			t.Fatal(err)
		}
	}
	_ = do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"by REST"`)
	text := scrape(t, svc)
	for _, direction := range []string{"received", "sent"} {
		expectAll(t, text,
			`chassis_rpc_message_size_bytes_bucket{direction="`+direction+`",rpc_method="test.v1.EchoService/Say",le="1024"} 1`,
			`chassis_rpc_message_size_bytes_bucket{direction="`+direction+`",rpc_method="test.v1.EchoService/Say",le="16384"} 1`,
			`chassis_rpc_message_size_bytes_bucket{direction="`+direction+`",rpc_method="test.v1.EchoService/Say",le="262144"} 2`,
			`chassis_rpc_message_size_bytes_sum{direction="`+direction+`",rpc_method="test.v1.EchoService/Say"} 20484`,
		)
	}
}

// What the failure of a check means is in a metric: alerts for dependencies differ from others.
func TestKindsOfChecks(t *testing.T) {
	t.Parallel()
	fine := func(context.Context) error { return nil }
	svc := start(t, echoes(&echo.Service{}, func(app *chassis.App) {
		app.Health(health.Check{Name: "disk", Probe: fine})
		app.Health(health.Check{Name: "cache", Probe: fine, Soft: true})
		if _, err := app.Dial(t.Context(), "wallet"); err != nil {
			t.Error(err)
		}
	}), env{"CHASSIS_WALLET_TARGET": "passthrough:///nowhere"})
	expectAll(t, scrape(t, svc), `chassis_health_check_info{check="disk",kind="hard"} 1`, `chassis_health_check_info{check="cache",kind="soft"} 1`,
		`chassis_health_check_info{check="wallet",kind="dependency"} 1`,
		// and its counters are there before the first call
		`chassis_rpc_client_ejections_total{reason="failures",server_address="wallet"} 0`)
}

// Connections and calls have limits, and both can be seen.
func TestOpenStreams(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(context.Context, string) (string, error) {
		entered <- struct{}{}
		<-leave
		return "", nil
	}}), env{"CHASSIS_MAX_CONCURRENT_STREAMS": "7"})
	go func() { _, _ = echo.Say(context.WithoutCancel(t.Context()), svc.Conn(), "") }()
	<-entered
	text := scrape(t, svc)
	close(leave)
	expectAll(t, text, `chassis_resource_in_use{kind="streams",resource="grpc"} 1`, `chassis_resource_limit{kind="streams",resource="grpc"} 7`,
		`chassis_resource_in_use{kind="connections",resource="grpc"} 1`, `chassis_resource_limit{kind="processors",resource="processors"} `)
}

// A run leaves a note for the next one, and a start that fails does too.
func TestRunFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "run")
	settings := env{"CHASSIS_RUN_FILE": file}
	first := start(t, echoes(&echo.Service{}), settings)
	if text := scrape(t, first); strings.Contains(text, "chassis_last_run_info") {
		t.Error("the first run knows of one before")
	}
	first.Stop()
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), `"stopped"`) {
		t.Errorf("noted %s, %v", text, err)
	}
	expectAll(t, scrape(t, start(t, echoes(&echo.Service{}), settings)), `chassis_last_run_info{reason="stopped"} 1`, "chassis_last_run_exit_code 0", "chassis_last_run_calls_cut 0")
	// which still runs: as if it was killed
	expectAll(t, scrape(t, start(t, echoes(&echo.Service{}), settings)), `chassis_last_run_info{reason="killed"} 1`)
}
