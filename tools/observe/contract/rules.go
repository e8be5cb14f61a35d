package contract

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Rule is one rule of a rule file.
type Rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Name returns what the rule records, or the name of its alert.
func (r Rule) Name() string { return r.Record + r.Alert }

// Rules reads the rules of a file in their order.
func Rules(file []byte) ([]Rule, error) {
	var content struct {
		Groups []struct {
			Rules []Rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(file, &content); err != nil {
		return nil, err
	}
	var all []Rule
	for _, g := range content.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

var labelInText = regexp.MustCompile(`\$labels\.(\w+)`)

// AddRules checks the rules and adds what they record. Rules may read what later ones record, as
// many do that compare with the evaluation before.
func (s Schema) AddRules(rules []Rule) (complaints []string) {
	for range 3 { // until all recorded series are known, however they depend on each other
		complaints = nil
		for _, r := range rules {
			for _, complaint := range s.addRule(r) {
				complaints = append(complaints, fmt.Sprintf("%s: %s", r.Name(), complaint))
			}
		}
	}
	return complaints
}

func (s Schema) addRule(r Rule) (complaints []string) {
	if r.Record != "" {
		return s.Record(r.Record, r.Expr, slices.Collect(maps.Keys(r.Labels))...)
	}
	result, complaints := s.Check(r.Expr)
	have := of(result...).with(slices.Collect(maps.Keys(r.Labels))...)
	for _, text := range r.Annotations {
		for _, found := range labelInText.FindAllStringSubmatch(text, -1) {
			if !have[found[1]] {
				complaints = append(complaints, fmt.Sprintf("an annotation has the label %q, the alert has %v", found[1], have.names()))
			}
		}
	}
	return complaints
}
