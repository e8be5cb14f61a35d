package chassis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"

	"github.com/betmakers/paddock/chassis"
)

// What libraries log in a process of Main is part of the service's log, and nothing else stands
// beside it.
func TestLibrariesLogThroughTheService(t *testing.T) {
	const mode = "PADDOCK_TEST_LIBRARIES"
	if os.Getenv(mode) != "" {
		os.Args = os.Args[:1] // the flags of tests are none of Main's
		ctx, cancel := context.WithCancel(context.Background())
		chassis.Main(ctx, setsUp(func(*chassis.App) {
			grpclog.Errorf("the %s is broken", "transport")
			grpclog.Info("nobody asked")
			log.Print("by log")
			slog.Warn("by slog", "password", "hunter2")
			cancel()
		}))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLibrariesLogThroughTheService$")
	cmd.Env = []string{
		mode + "=1", "HOME=" + t.TempDir(), "CHASSIS_LOG_FORMAT=json", "CHASSIS_ENVIRONMENT=development",
		"CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0",
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%v, with %q on standard error", err, &errs)
	}
	found := map[string]any{}
	for lines := bufio.NewScanner(strings.NewReader(out.String())); lines.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("%s is no JSON: %v", lines.Bytes(), err)
		}
		found[line["msg"].(string)] = line["level"]
		if line["text"] != nil && line["text"] != "the transport is broken" {
			t.Errorf("logged %v", line)
		}
	}
	if found["gRPC says"] != "WARN" || found["by log"] != "INFO" || found["by slog"] != "WARN" {
		t.Errorf("logged %v", found)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a secret is in the log")
	}
}
