package chassis_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/chassis"
)

// A crash while Setup runs must leave behind the steps that were taken, and what Setup has logged.
// The chassis catches a panic in Setup's own goroutine, and can do nothing about one elsewhere.
func TestLinesBeforeACrashInSetup(t *testing.T) {
	const mode = "PADDOCK_TEST_CRASH"
	if os.Getenv(mode) != "" {
		_ = chassis.Run(context.Background(), setsUp(func(app *chassis.App) {
			app.Logger().LogAttrs(context.Background(), slog.LevelError, "last words")
			go panic("the end")
			select {}
		}))
		return
	}
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLinesBeforeACrashInSetup$")
		cmd.Env = []string{
			mode + "=1", "HOME=" + t.TempDir(), "CHASSIS_LOG_FORMAT=json", "CHASSIS_ENVIRONMENT=development",
			"CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0",
		}
		out, err := cmd.Output()
		if err == nil {
			t.Error("the process did not crash")
		}
		expectAll(t, string(out), `"step":"configured"`, `"step":"telemetry_started"`, `"step":"identity_ready"`, `"step":"admin_listening"`, "last words")
	}
}

type brokenCollector struct{}

func (brokenCollector) Describe(chan<- *prometheus.Desc) {}
func (brokenCollector) Collect(chan<- prometheus.Metric) { panic("broken") }

func TestACollectorOfTheServiceThatPanics(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		prometheus.WrapRegistererWith(prometheus.Labels{"part": "x"}, app.Metrics()).MustRegister(brokenCollector{})
	}), nil)
	svc.Metric("chassis_ready") // gathers
	if got := svc.Metric("chassis_ready"); got != 1 {
		t.Errorf("chassis_ready = %v, want 1", got)
	}
	if got := svc.Metric("chassis_collector_failures_total", "reason", "panic"); got < 1 {
		t.Errorf("chassis_collector_failures_total = %v, want the panics", got)
	}
	if lines := svc.Logs("collector left out of the metrics"); len(lines) != 1 || lines[0]["collector"] != "chassis_test.brokenCollector" {
		t.Errorf("got the lines %v, want one that names the collector", lines)
	}
}
