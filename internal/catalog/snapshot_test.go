package catalog_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/catalog"
)

var update = flag.Bool("update", false, "write the snapshot of the catalogue anew: at a release, when what is new becomes a promise")

const snapshot = "testdata/promised.txt"

// What the last release has promised stays: dashboards and rules that read it were installed with
// that release. A metric is renamed by serving both names, and its old entry stays for one major
// version.
func TestPromisedMetricsStay(t *testing.T) {
	if *update {
		if err := os.WriteFile(snapshot, []byte(promises(catalog.All())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promised, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range broken(string(promised), catalog.All()) {
		t.Error(complaint)
	}
}

func TestBrokenPromisesAreFound(t *testing.T) {
	old := catalog.Metric{
		Name: "chassis_x_total", Type: catalog.Counter, Stability: catalog.Stable,
		Labels: []catalog.Label{{Name: "a", Values: "`b`"}, {Name: "c", Values: "`d`"}},
	}
	tried := catalog.Metric{Name: "chassis_y", Type: catalog.Gauge, Stability: catalog.Experimental}
	promised := promises([]catalog.Metric{old, tried})
	changed := func(change func(*catalog.Metric)) []catalog.Metric {
		m := old
		m.Labels = slices.Clone(old.Labels)
		change(&m)
		return []catalog.Metric{m}
	}
	for name, test := range map[string]struct {
		now  []catalog.Metric
		want int
	}{
		"nothing":          {[]catalog.Metric{old}, 0},
		"a label more":     {changed(func(m *catalog.Metric) { m.Labels = append(m.Labels, catalog.Label{Name: "e"}) }), 0},
		"another order":    {changed(func(m *catalog.Metric) { slices.Reverse(m.Labels) }), 0},
		"removed":          {nil, 1},
		"renamed":          {changed(func(m *catalog.Metric) { m.Name = "chassis_z_total" }), 1},
		"both names":       {append(changed(func(m *catalog.Metric) { m.Name = "chassis_z_total" }), old), 0},
		"another type":     {changed(func(m *catalog.Metric) { m.Type = catalog.Gauge }), 1},
		"a label less":     {changed(func(m *catalog.Metric) { m.Labels = m.Labels[:1] }), 1},
		"a label renamed":  {changed(func(m *catalog.Metric) { m.Labels[0].Name = "b" }), 1},
		"no longer stable": {changed(func(m *catalog.Metric) { m.Stability = catalog.Experimental }), 1},
	} {
		if got := broken(promised, test.now); len(got) != test.want {
			t.Errorf("%s: got %q, want %d complaints", name, got, test.want)
		}
	}
}

// promises lists the stable metrics, one a line, with type and labels.
func promises(metrics []catalog.Metric) string {
	var lines []string
	for _, m := range metrics {
		if m.Stability == catalog.Stable {
			lines = append(lines, fmt.Sprintf("%s %s %s\n", m.Name, m.Type, strings.Join(labelsOf(m), " ")))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func labelsOf(m catalog.Metric) (names []string) {
	for _, l := range m.Labels {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	return names
}

// broken returns what of the promised metrics is gone or has changed. New metrics and new labels
// break nothing.
func broken(promised string, metrics []catalog.Metric) (complaints []string) {
	now := map[string]catalog.Metric{}
	for _, m := range metrics {
		now[m.Name] = m
	}
	for line := range strings.Lines(promised) {
		fields := strings.Fields(line)
		name, kind, labels := fields[0], fields[1], fields[2:]
		m, ok := now[name]
		switch {
		case !ok:
			complaints = append(complaints, name+" was promised and is gone: serve the old name beside the new one")
		case string(m.Type) != kind:
			complaints = append(complaints, fmt.Sprintf("%s was promised as a %s and is a %s", name, kind, m.Type))
		case m.Stability != catalog.Stable:
			complaints = append(complaints, name+" was promised as stable")
		default:
			for _, l := range labels {
				if !slices.Contains(labelsOf(m), l) {
					complaints = append(complaints, fmt.Sprintf("%s was promised with the label %s, which is gone", name, l))
				}
			}
		}
	}
	return complaints
}
