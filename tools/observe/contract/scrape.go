package contract

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/betmakers/paddock/internal/catalog"
)

// ours are the beginnings of the names that the catalogue speaks for.
var ours = []string{"chassis_", "rpc_", "http_"}

// Scrape compares what a service serves at /metrics with the catalogue. It returns the names of the
// catalogue that were served, and complaints about names, types, labels and values of labels that
// the catalogue does not have.
func Scrape(body io.Reader, metrics []catalog.Metric) (served []string, complaints []string, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return nil, nil, err
	}
	known := map[string]catalog.Metric{}
	for _, m := range metrics {
		known[m.Name] = m
	}
	for name, family := range families {
		m, ok := known[name]
		switch {
		case ok:
			served = append(served, name)
			complaints = append(complaints, differences(m, family)...)
		case slices.ContainsFunc(ours, func(prefix string) bool { return strings.HasPrefix(name, prefix) }):
			complaints = append(complaints, name+" is served and not in the catalogue")
		}
	}
	slices.Sort(served)
	slices.Sort(complaints)
	return served, slices.Compact(complaints), nil
}

func differences(m catalog.Metric, family *dto.MetricFamily) (complaints []string) {
	if got := strings.ToLower(family.GetType().String()); got != string(m.Type) {
		complaints = append(complaints, fmt.Sprintf("%s is served as a %s, the catalogue has a %s", m.Name, got, m.Type))
	}
	for _, series := range family.GetMetric() {
		have := map[string]string{}
		for _, pair := range series.GetLabel() {
			have[pair.GetName()] = pair.GetValue()
		}
		for _, l := range m.Labels {
			value, ok := have[l.Name]
			delete(have, l.Name)
			if !ok {
				complaints = append(complaints, fmt.Sprintf("%s is served without its label %s", m.Name, l.Name))
			} else if list := listed(l.Values); list != nil && value != "" && !slices.Contains(list, value) {
				complaints = append(complaints, fmt.Sprintf("%s has %s=%q, the catalogue lists %q", m.Name, l.Name, value, list))
			}
		}
		for name := range have {
			complaints = append(complaints, fmt.Sprintf("%s is served with the label %s, which the catalogue does not have", m.Name, name))
		}
	}
	return complaints
}

var (
	listForm = regexp.MustCompile("^(a fixed list: )?(`[^`]+`(, |$))+$")
	word     = regexp.MustCompile("`([^`]+)`")
)

// listed returns the values of a label where the catalogue lists all of them.
func listed(values string) (all []string) {
	if !listForm.MatchString(values) {
		return nil
	}
	for _, found := range word.FindAllStringSubmatch(values, -1) {
		all = append(all, found[1])
	}
	return all
}
