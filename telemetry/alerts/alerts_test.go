package alerts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/telemetry/alerts"
)

const runbooks = "../../docs/runbooks"

// Prometheus' own tests of the rules: when an alert fires and when it is silent, and what counts as
// a deployment.
func TestRules(t *testing.T) {
	promtool := promtool(t)
	dir := t.TempDir()
	for name, content := range alerts.Files() {
		if strings.HasPrefix(name, "rules/") {
			write(t, filepath.Join(dir, filepath.Base(name)), content)
		}
	}
	tests, err := filepath.Glob("testdata/*_test.yml")
	if err != nil || len(tests) < 4 {
		t.Fatalf("found the tests %q, %v", tests, err)
	}
	for _, test := range tests {
		content, err := os.ReadFile(test)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(test)), content)
		t.Run(filepath.Base(test), func(t *testing.T) {
			t.Parallel()
			run(t, dir, promtool, "test", "rules", filepath.Base(test))
		})
	}
}

// What the Prometheus Operator gets holds the same rules.
func TestPrometheusRuleHasAllGroups(t *testing.T) {
	promtool := promtool(t)
	_, groups, ok := strings.Cut(string(alerts.Files()["kubernetes/prometheusrule.yaml"]), "\nspec:\n")
	if !ok {
		t.Fatal("there is no spec")
	}
	var file strings.Builder
	for line := range strings.Lines(groups) {
		file.WriteString(strings.TrimPrefix(line, "  "))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "all.yml"), []byte(file.String()))
	run(t, dir, promtool, "check", "rules", "all.yml")
	for name, content := range alerts.Files() {
		for _, rule := range regexp.MustCompile(`(?m)- (record|alert|name): \S+$`).FindAllString(string(content), -1) {
			if !strings.Contains(file.String(), rule) {
				t.Errorf("%s has %q, and the PrometheusRule does not", name, rule)
			}
		}
	}
}

var (
	alertName = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	fires     = regexp.MustCompile(`alertname: (\w+)\n +exp_alerts:\n +- exp_labels`)
	silent    = regexp.MustCompile(`alertname: (\w+), exp_alerts: \[\]`)
)

// An alert has a page that its annotation leads to, a test in which it fires and one in which it is
// silent.
func TestEachAlertHasRunbookAndTests(t *testing.T) {
	rules, tests := concat(t, "rules/*.yml"), concat(t, "testdata/*_test.yml")
	names := submatches(alertName, rules)
	if len(names) < 25 {
		t.Fatalf("found %d alerts, want the test to see them all", len(names))
	}
	index, err := os.ReadFile(filepath.Join(runbooks, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	firing, silenced := submatches(fires, tests), submatches(silent, tests)
	for _, name := range names {
		page := name + ".md"
		if text, err := os.ReadFile(filepath.Join(runbooks, page)); err != nil || !bytes.HasPrefix(text, []byte("# "+name+"\n")) {
			t.Errorf("%s has no runbook of its name: %v", name, err)
		}
		if !strings.Contains(rules, "runbook_url: $RUNBOOKS/"+page) {
			t.Errorf("%s does not lead to its runbook", name)
		}
		if !bytes.Contains(index, []byte("["+name+"]("+page+")")) {
			t.Errorf("docs/runbooks/README.md does not list %s", name)
		}
		if !slices.Contains(firing, name) {
			t.Errorf("%s fires in no test", name)
		}
		if !slices.Contains(silenced, name) {
			t.Errorf("%s is silent in no test", name)
		}
	}
	pages, err := filepath.Glob(runbooks + "/Chassis*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !slices.Contains(names, strings.TrimSuffix(filepath.Base(page), ".md")) {
			t.Errorf("%s is the page of no alert", page)
		}
	}
}

// The caller may change what it gets.
func TestFilesAreTheCallers(t *testing.T) {
	clear(alerts.Files()["rules/alerts.yml"])
	if !bytes.Contains(alerts.Files()["rules/alerts.yml"], []byte("groups:")) {
		t.Error("a change by one caller is seen by the next")
	}
	for name, content := range alerts.Files() {
		if found := regexp.MustCompile(`\$(SERVICE|PROCESS|JOIN|RUNBOOKS)`).Find(content); found != nil {
			t.Errorf("%s has %s in it, which was to be written out", name, found)
		}
	}
}

func submatches(form *regexp.Regexp, text string) (all []string) {
	for _, found := range form.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

func concat(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal("CI needs promtool: run make setup")
	default:
		t.Skip("promtool is not installed: make setup installs it")
	}
	return ""
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}
