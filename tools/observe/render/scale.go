package main

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/betmakers/paddock/tools/observe/contract"
)

// faster is how much faster time runs than the rules mean.
const faster = 30

// seconds are the numbers in rules that are lengths of time.
var seconds = map[float64]bool{60: true, 3600: true, 86400: true, 1209600: true}

// scale returns the rule file with all lengths of time divided by faster.
func scale(content []byte) ([]byte, error) {
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
	for i := range file.Groups {
		g := &file.Groups[i]
		var err error
		if g.Interval, err = shorter(g.Interval); err != nil {
			return nil, err
		}
		for _, r := range g.Rules {
			expr, _ := r["expr"].(string)
			if r["expr"], err = scaleExpr(expr); err != nil {
				return nil, err
			}
			if wait, ok := r["for"].(string); ok {
				if r["for"], err = shorter(wait); err != nil {
					return nil, err
				}
			}
		}
	}
	return yaml.Marshal(file)
}

func shorter(duration string) (string, error) {
	d, err := model.ParseDuration(duration)
	return (d / faster).String(), err
}

func scaleExpr(expr string) (string, error) {
	tree, err := contract.Parse(expr)
	if err != nil {
		return "", err
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch e := node.(type) {
		case *parser.MatrixSelector:
			e.Range = (e.Range / faster).Round(time.Millisecond)
		case *parser.NumberLiteral:
			if seconds[e.Val] {
				e.Val /= faster
			}
		}
		return nil
	})
	return tree.String(), nil
}
