package chassis_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis/internal/echo"
)

const protectionMetric = "chassis_protection_off"

var protections = []string{"authorization", "admission", "mtls", "rest_tls", "production", "faults"}

// What a setting switches off is told of at the start, in a metric and on the debug page. What is
// on is not.
func TestProtectionsThatAreOffAreTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings env
		off      []string
	}{
		"as it is":      {env{}, nil},
		"audit":         {env{"CHASSIS_AUTHORIZATION": "audit"}, []string{"authorization"}},
		"no admission":  {env{"CHASSIS_ADMISSION": "off"}, []string{"admission"}},
		"reports alone": {env{"CHASSIS_ADMISSION": "report"}, []string{"admission"}},
		"no mutual TLS": {env{"CHASSIS_MTLS": "off"}, []string{"mtls", "rest_tls"}},
		"no mutual TLS in production": {env{"CHASSIS_MTLS": "off", "CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s", "CHASSIS_HTTP_TLS": "true"},
			[]string{"mtls", "rest_tls"}},
		"REST in plain text": {env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s", "CHASSIS_HTTP_TLS": "false"},
			[]string{"rest_tls"}},
		"production":            {env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s"}, nil},
		"reachable development": {env{"CHASSIS_HTTP_ADDR": "0.0.0.0:8080", "CHASSIS_HTTP_TLS": "true"}, []string{"production"}},
		"faults":                {env{"CHASSIS_FAULTS": `{"method":"*","delay":"1ms"}`}, []string{"faults"}},
		"all of it": {env{"CHASSIS_AUTHORIZATION": "audit", "CHASSIS_ADMISSION": "off", "CHASSIS_ADMIN_ADDR": ":0"},
			[]string{"authorization", "admission", "production"}},
	} {
		svc := start(t, echoes(&echo.Service{}), tc.settings)
		warned := map[string]bool{}
		for _, line := range svc.Logs() {
			if protection, ok := line["protection"].(string); ok && line["level"] == "WARN" && line["setting"] != "" {
				warned[protection] = true
			}
			if line["msg"] == "fault set" && line["level"] == "WARN" {
				warned["faults"] = true
			}
		}
		page := do(t, svc.HTTP(), "GET", "http://admin/debug/", "").body
		want := map[string]bool{}
		for _, protection := range tc.off {
			want[protection] = true
		}
		if !maps.Equal(warned, want) {
			t.Errorf("%s: warnings about %v, want %v", name, warned, want)
		}
		for _, protection := range protections {
			value := 0.0
			if want[protection] {
				value = 1
			}
			if got := svc.Metric(protectionMetric, "protection", protection); got != value {
				t.Errorf("%s: %s of %s is %v, want %v", name, protectionMetric, protection, got, value)
			}
		}
		if shown := strings.Contains(page, "authorization is off"); shown != want["authorization"] {
			t.Errorf("%s: the page says that authorization is off: %v", name, shown)
		}
	}
}

// A fault that somebody sets shows for as long as it is in force.
func TestFaultsShowAsAProtection(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	for _, step := range []struct {
		method, body string
		want         float64
	}{{"GET", "", 0}, {"POST", `{"method":"*/Say","abort":"ABORTED","for":"1m"}`, 1}, {"DELETE", "", 0}} {
		do(t, svc.HTTP(), step.method, "http://admin/debug/faults", step.body)
		if got := svc.Metric(protectionMetric, "protection", "faults"); got != step.want {
			t.Errorf("after %s: %v, want %v", step.method, got, step.want)
		}
	}
}
