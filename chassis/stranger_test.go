package chassis_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/health"
)

// A stranger decides neither what is recorded nor what the baggage of calls further in is; a
// service of the own trust domain does, a person at a machine of its own, and anyone where a
// setting says so.
func TestStrangersTraceAndBaggage(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	service := setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /x", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- baggage.FromContext(r.Context()).String() }))
	})
	for name, tc := range map[string]struct {
		settings env
		client   func(*chassistest.Running) *http.Client
		url      string
		believed bool
	}{
		"nobody":        {env{"CHASSIS_HTTP_TLS": "true"}, func(r *chassistest.Running) *http.Client { return r.HTTPWith(withoutCertificate(r)) }, "https://rest/x", false},
		"other domain":  {env{"CHASSIS_HTTP_TLS": "true"}, func(r *chassistest.Running) *http.Client { return r.HTTPAs("spiffe://evil.example/web") }, "https://rest/x", false},
		"own domain":    {env{"CHASSIS_HTTP_TLS": "true"}, func(r *chassistest.Running) *http.Client { return r.HTTPAs("web") }, "https://rest/x", true},
		"setting":       {env{"CHASSIS_HTTP_TLS": "true", "CHASSIS_TRACE_TRUST": "anyone"}, func(r *chassistest.Running) *http.Client { return r.HTTPWith(withoutCertificate(r)) }, "https://rest/x", true},
		"own machine":   {env{}, func(r *chassistest.Running) *http.Client { return r.HTTP() }, "http://rest/x", true},
		"without TLS":   {env{"CHASSIS_ENVIRONMENT": "production", "CHASSIS_DRAIN_DELAY": "0s", "CHASSIS_HTTP_TLS": "false"}, func(r *chassistest.Running) *http.Client { return r.HTTP() }, "http://rest/x", false},
		"no mutual TLS": {env{"CHASSIS_MTLS": "off"}, func(r *chassistest.Running) *http.Client { return r.HTTP() }, "http://rest/x", true},
	} {
		tc.settings["OTEL_TRACES_SAMPLER"], tc.settings["OTEL_TRACES_SAMPLER_ARG"] = "parentbased_traceidratio", "0"
		svc := start(t, service, tc.settings)
		client := tc.client(svc)
		for range 5 {
			answer := do(t, client, "GET", tc.url, "", "Traceparent", "00-11111111111111111111111111111111-2222222222222222-01", "Baggage", "tenant=admin,role=root")
			if got := <-seen; (got != "") != tc.believed {
				t.Errorf("%s: the handler has the baggage %q", name, got)
			}
			if id := answer.header.Get("Trace-Id"); strings.HasPrefix(id, "1111") != tc.believed || len(id) != 32 {
				t.Errorf("%s: the trace is %s", name, id)
			}
		}
		svc.Stop()
		if spans := len(svc.Spans()); (spans == 5) != tc.believed || spans != 0 && spans != 5 {
			t.Errorf("%s: %d spans of 5 requests", name, spans)
		}
	}
}

// Anyone may ask a probe, and learns nothing of why a check fails. Operators do, and no credential.
func TestReasonsOfChecksAreForOperators(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUp(func(app *chassis.App) {
		app.Health(health.Check{Name: "database", Soft: true, FailAfter: 1, Probe: func(context.Context) error {
			return errors.New("dial postgres://ledger:hunter2@10.3.4.5:5432/ledger: connection refused")
		}})
	}), nil)
	for path, told := range map[string]bool{"/readyz": false, "/readyz?verbose": false, "/livez?verbose": false, "/startupz?verbose": false, "/metrics": false,
		"/debug/": true, "/debug/status.json": true} {
		body := do(t, svc.HTTP(), "GET", "http://admin"+path, "").body
		if strings.Contains(body, "hunter2") || strings.Contains(body, "10.3.4.5") != told {
			t.Errorf("%s tells the address: %v, want %v; or it tells the password", path, !told, told)
		}
	}
	for _, line := range svc.Logs("health check fails") {
		if reason, _ := line["reason"].(string); strings.Contains(reason, "hunter2") || !strings.Contains(reason, "10.3.4.5") {
			t.Errorf("the log says %q", reason)
		}
	}
}
