package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/betmakers/paddock/telemetry/alerts"
	"github.com/betmakers/paddock/tools/observe/contract"
)

// all returns every change of every rule whose name has only in it.
func all(only string) (mutants []mutant, err error) {
	for name, content := range alerts.Files() {
		file, ok := strings.CutPrefix(name, "rules/")
		if !ok {
			continue
		}
		rules, err := contract.Rules(content)
		if err != nil {
			return nil, err
		}
		for i, r := range rules {
			if !strings.Contains(r.Name(), only) {
				continue
			}
			changed, err := changes(r)
			if err != nil {
				return nil, err
			}
			for change, rule := range changed {
				text, err := with(content, i, rule)
				if err != nil {
					return nil, err
				}
				mutants = append(mutants, mutant{file, r.Name(), change, r.Alert != "", text})
			}
		}
	}
	slices.SortFunc(mutants, func(a, b mutant) int { return strings.Compare(a.String(), b.String()) })
	return mutants, nil
}

// with returns the rule file with another expression and duration in its rule of that index.
func with(content []byte, index int, rule contract.Rule) ([]byte, error) {
	var file struct {
		Groups []struct {
			Name     string           `yaml:"name"`
			Interval string           `yaml:"interval"`
			Rules    []map[string]any `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	for _, g := range file.Groups {
		if index < len(g.Rules) {
			g.Rules[index]["expr"] = rule.Expr
			if rule.For != "" {
				g.Rules[index]["for"] = rule.For
			}
			break
		}
		index -= len(g.Rules)
	}
	return yaml.Marshal(file)
}

// changes returns the changed rules by what was changed.
func changes(r contract.Rule) (map[string]contract.Rule, error) {
	all := map[string]contract.Rule{}
	if r.For != "" {
		wait, err := model.ParseDuration(r.For)
		if err != nil {
			return nil, err
		}
		for _, other := range []model.Duration{wait * 2, wait / 2} {
			changed := r
			changed.For = other.String()
			all["for "+r.For+" -> "+changed.For] = changed
		}
	}
	for i := 0; ; i++ {
		tree, err := contract.Parse(r.Expr)
		if err != nil {
			return nil, err
		}
		change := nth(tree, i)
		if change == "" {
			return all, nil
		}
		changed := r
		changed.Expr = tree.String()
		all[fmt.Sprintf("%s (%d)", change, i)] = changed
	}
}

var reversed = map[parser.ItemType]parser.ItemType{
	parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LSS, parser.LTE: parser.GTR,
	parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC,
}

// nth makes the change of number n in the tree and tells it, or nothing if there are not so many.
func nth(tree parser.Expr, n int) (change string) {
	try := func(text string, apply func()) {
		if n == 0 {
			change = text
			apply()
		}
		n--
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch e := node.(type) {
		case *parser.BinaryExpr:
			if other, ok := reversed[e.Op]; ok {
				try(fmt.Sprintf("%s -> %s", e.Op, other), func() { e.Op = other })
			}
		case *parser.NumberLiteral:
			value := e.Val
			for _, other := range []float64{value * 2, value / 2} {
				if value == 0 {
					other = 1
				}
				try(fmt.Sprintf("%g -> %g", value, other), func() { e.Val = other })
				if value == 0 {
					break
				}
			}
		case *parser.MatrixSelector:
			window := e.Range
			for _, other := range []time.Duration{window * 2, window / 2} {
				try(fmt.Sprintf("[%s] -> [%s]", model.Duration(window), model.Duration(other)), func() { e.Range = other })
			}
		case *parser.VectorSelector:
			for i, m := range slices.Clone(e.LabelMatchers) {
				if m.Name == model.MetricNameLabel {
					continue
				}
				try("without "+m.String(), func() { e.LabelMatchers = slices.Delete(e.LabelMatchers, i, i+1) })
				if inverse, err := m.Inverse(); err == nil {
					try(m.String()+" -> "+inverse.String(), func() { e.LabelMatchers[i] = inverse })
				}
			}
		}
		return nil
	})
	return change
}
