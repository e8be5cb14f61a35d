package contract_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/telemetry/alerts"
	"github.com/betmakers/paddock/telemetry/dashboards"
	"github.com/betmakers/paddock/tools/observe/contract"
)

// withRules returns the schema with what the rules record.
func withRules(t *testing.T) contract.Schema {
	t.Helper()
	schema := contract.New(catalog.All())
	var all []contract.Rule
	for _, name := range slices.Sorted(maps.Keys(alerts.Files())) {
		if !strings.HasPrefix(name, "rules/") {
			continue
		}
		rules, err := contract.Rules(alerts.Files()[name])
		if err != nil || len(rules) < 3 {
			t.Fatalf("%s: %d rules, %v", name, len(rules), err)
		}
		all = append(all, rules...)
	}
	for _, complaint := range schema.AddRules(all) {
		t.Error(complaint)
	}
	return schema
}

// Every metric and label that a rule or an annotation names is in the catalogue.
func TestRulesReadTheCatalogue(t *testing.T) { withRules(t) }

// What a panel queries, and what the legend of its series has, is in the catalogue or recorded by a
// rule.
func TestDashboardsReadTheCatalogue(t *testing.T) {
	schema, seen := withRules(t), 0
	for name, content := range dashboards.Files() {
		if !strings.HasPrefix(name, "grafana/") {
			continue
		}
		panels, err := contract.Panels(content)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range panels {
			for _, target := range p.Targets {
				seen++
				for _, complaint := range schema.CheckTarget(target) {
					t.Errorf("%s: %s: %s", name, p.Title, complaint)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("found %d queries, want the test to see them all", seen)
	}
	bad := contract.Target{Expr: "sum by (job) (rate(chassis_panics_total[$__rate_interval]))", Legend: "{{where}}"}
	if got := schema.CheckTarget(bad); len(got) != 1 {
		t.Errorf("a legend with a label that is gone: got %q", got)
	}
}

// The check must be able to fail.
func TestCheckFindsMistakes(t *testing.T) {
	schema := withRules(t)
	for expr, want := range map[string]string{
		`chassis_raedy`:                                                        "no metric",
		`chassis_ready{where="rpc"}`:                                           `no label "where"`,
		`rpc_server_call_duration_seconds`:                                     "no metric",
		`rate(chassis_ready[5m])`:                                              "no counter",
		`sum by (where) (chassis_ready)`:                                       `no label "where"`,
		`sum by (where) (sum by (instance) (chassis_panics_total))`:            `no label "where"`,
		`chassis_ready * on (where) chassis_panics_total`:                      `no label "where"`,
		`chassis_ready * on (job) group_left (service_nam) chassis_build_info`: `no label "service_nam"`,
		`histogram_quantile(0.9, sum by (rpc_method) (rate(rpc_server_call_duration_seconds_bucket[5m])))`: `no label "le"`,
		`chassis_panics_total / chassis_ready`:          "one side has",
		`sum by (kind) (dora:change_lead_time:seconds)`: `no label "kind"`,
		`dora:nothing`:         "no metric",
		`sum(`:                 "unclosed",
		`chassis_ready offset`: "unexpected",
	} {
		_, complaints := schema.Check(expr)
		if !strings.Contains(strings.Join(complaints, "\n"), want) {
			t.Errorf("%s: got %q, want %q", expr, complaints, want)
		}
	}
	for expr, want := range map[string][]string{
		`sum by (kind) (dora:deployment:event)`: {"kind"},
		`histogram_quantile(0.9, sum by (le, rpc_method) (rate(rpc_server_call_duration_seconds_bucket[5m])))`: {"rpc_method"},
		`slo:burn_rate:ratio5m`: {"cluster", "namespace", "rpc_method", "service_name", "slo"},
	} {
		if got, complaints := schema.Check(expr); complaints != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %q; want %v", expr, got, complaints, want)
		}
	}
}

// A rule that reads what is gone, or tells of a label that is gone, is found.
func TestRulesFindMistakes(t *testing.T) {
	schema := contract.New(catalog.All())
	complaints := schema.AddRules([]contract.Rule{
		{Record: "a:b:c", Expr: "sum by (job) (chassis_ready)"},
		{Alert: "A", Expr: "a:b:c > 0", Annotations: map[string]string{"summary": "{{ $labels.instance }} of {{ $labels.job }}"}},
	})
	if len(complaints) != 1 || !strings.Contains(complaints[0], `the label "instance"`) {
		t.Errorf("got %q", complaints)
	}
}
