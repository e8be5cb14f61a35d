package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/catalog"
)

func TestEntriesFollowTheConventions(t *testing.T) {
	for _, m := range catalog.All() {
		t.Run(m.Name, func(t *testing.T) {
			for _, complaint := range lint(m) {
				t.Error(complaint)
			}
		})
	}
}

// The lint itself must be able to fail.
func TestLintFindsMistakes(t *testing.T) {
	good := catalog.Metric{
		Name: "chassis_x_total", Help: "X.", Type: catalog.Counter, Since: "0.1.0", Stability: catalog.Stable,
		Labels: []catalog.Label{{Name: "a", Values: "`b`"}},
	}
	if complaints := lint(good); len(complaints) > 0 {
		t.Errorf("a good entry: %v", complaints)
	}
	for name, spoil := range map[string]func(*catalog.Metric){
		"camel case":          func(m *catalog.Metric) { m.Name = "chassis_xY_total" },
		"foreign prefix":      func(m *catalog.Metric) { m.Name = "go_x_total" },
		"counter, no _total":  func(m *catalog.Metric) { m.Name = "chassis_x" },
		"gauge with _total":   func(m *catalog.Metric) { m.Type = catalog.Gauge },
		"unknown type":        func(m *catalog.Metric) { m.Type = "summary" },
		"unit not in name":    func(m *catalog.Metric) { m.Unit = "seconds" },
		"unit only in name":   func(m *catalog.Metric) { m.Name = "chassis_x_seconds_total" },
		"no base unit":        func(m *catalog.Metric) { m.Name, m.Unit = "chassis_x_milliseconds_total", "milliseconds" },
		"help, no full stop":  func(m *catalog.Metric) { m.Help = "X" },
		"no help":             func(m *catalog.Metric) { m.Help = "" },
		"label not explained": func(m *catalog.Metric) { m.Labels = []catalog.Label{{Name: "a"}} },
		"label of a scrape":   func(m *catalog.Metric) { m.Labels[0].Name = "instance" },
		"label twice":         func(m *catalog.Metric) { m.Labels = append(m.Labels, m.Labels...) },
		"no buckets":          func(m *catalog.Metric) { m.Name, m.Type = "chassis_x", catalog.Histogram },
		"buckets not rising":  func(m *catalog.Metric) { m.Name, m.Type, m.Buckets = "chassis_x", catalog.Histogram, []float64{2, 1} },
		"buckets of a count":  func(m *catalog.Metric) { m.Buckets = []float64{1} },
		"no version":          func(m *catalog.Metric) { m.Since = "soon" },
		"no stability":        func(m *catalog.Metric) { m.Stability = "" },
	} {
		m := good
		m.Labels = slices.Clone(good.Labels)
		spoil(&m)
		if len(lint(m)) == 0 {
			t.Errorf("%s: the lint finds nothing", name)
		}
	}
}

var (
	nameForm    = regexp.MustCompile(`^(chassis|rpc|http)(_[a-z0-9]+)+$`)
	labelForm   = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	versionForm = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	baseUnits   = []string{"seconds", "bytes", "ratio"}
	// What Prometheus itself or a usual scrape configuration adds to every series.
	scrapeLabels = []string{"le", "quantile", "job", "instance", "service", "namespace", "pod", "container", "endpoint"}
)

func lint(m catalog.Metric) (complaints []string) {
	check := func(ok bool, complaint string) {
		if !ok {
			complaints = append(complaints, complaint)
		}
	}
	stem, isTotal := strings.CutSuffix(m.Name, "_total")
	check(nameForm.MatchString(m.Name), "the name is not chassis_, rpc_ or http_ and lower-case words")
	check(isTotal == (m.Type == catalog.Counter), "_total must end the name of a counter and of nothing else")
	check(slices.Contains([]catalog.Type{catalog.Counter, catalog.Gauge, catalog.Histogram}, m.Type), "unknown type")
	check(m.Unit == "" || slices.Contains(baseUnits, m.Unit), "the unit is not a base unit")
	for _, unit := range baseUnits {
		check((m.Unit == unit) == strings.HasSuffix(stem, "_"+unit), "name and unit disagree about "+unit)
	}
	check(strings.HasSuffix(m.Help, "."), "the help does not end in a full stop")
	check((len(m.Buckets) > 0) == (m.Type == catalog.Histogram), "buckets must be given for a histogram and for nothing else")
	check(slices.IsSorted(m.Buckets), "the buckets do not rise")
	check(versionForm.MatchString(m.Since), "since is not a version")
	check(m.Stability == catalog.Stable || m.Stability == catalog.Experimental, "unknown stability")
	seen := map[string]bool{}
	for _, l := range m.Labels {
		check(labelForm.MatchString(l.Name), "label "+l.Name+" is not made of lower-case words")
		check(l.Values != "", "label "+l.Name+" does not tell its values")
		check(!slices.Contains(scrapeLabels, l.Name), "label "+l.Name+" is overwritten by scrapes")
		check(!seen[l.Name], "label "+l.Name+" occurs twice")
		seen[l.Name] = true
	}
	return complaints
}

func TestAllListsEveryEntryOnce(t *testing.T) {
	declared := declaredNames(t)
	if len(declared) == 0 {
		t.Fatal("no declaration found: has the file changed its form?")
	}
	var listed []string
	for _, m := range catalog.All() {
		if slices.Contains(listed, m.Name) {
			t.Errorf("%s is listed twice", m.Name)
		}
		listed = append(listed, m.Name)
		if !slices.Contains(declared, m.Name) {
			t.Errorf("%s is listed and not declared in metrics.go", m.Name)
		}
	}
	for _, name := range declared {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is declared and missing in All()", name)
		}
	}
}

// declaredNames reads the Name of every Metric literal in metrics.go.
func declaredNames(t *testing.T) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if kind, ok := literal.Type.(*ast.Ident); !ok || kind.Name != "Metric" {
			return true
		}
		for _, e := range literal.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Name" {
				name, err := strconv.Unquote(pair.Value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

func TestPrometheusAcceptsEveryEntry(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, m := range catalog.All() {
		values := make([]string, len(m.Labels))
		switch m.Type {
		case catalog.Counter:
			c := m.CounterVec()
			c.WithLabelValues(values...).Inc()
			reg.MustRegister(c)
		case catalog.Gauge:
			g := m.GaugeVec()
			g.WithLabelValues(values...).Set(1)
			reg.MustRegister(g)
		case catalog.Histogram:
			h := m.HistogramVec()
			h.WithLabelValues(values...).Observe(1)
			reg.MustRegister(h)
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Native buckets come beside the fixed ones, where they are asked for.
func TestNativeHistograms(t *testing.T) {
	for _, on := range []bool{false, true} {
		h := catalog.RPCServerCallDuration.Native(on).HistogramVec()
		h.WithLabelValues("m", "OK", "", catalog.GRPC).Observe(.001)
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(h)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := families[0].GetMetric()[0].GetHistogram()
		if native := got.Schema != nil; native != on || len(got.GetBucket()) != len(catalog.RPCServerCallDuration.Buckets) {
			t.Errorf("native %v: got %v", on, got)
		}
	}
}
