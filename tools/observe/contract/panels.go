package contract

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Panel is what the check and the pictures need of a panel of Grafana.
type Panel struct {
	Title       string
	Description string
	Type        string
	GridPos     struct{ X, Y, W, H int }
	Targets     []Target
	Links       []struct{ URL string }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []Step }
			Mappings   []struct {
				Options map[string]struct{ Text string }
			}
			Custom struct {
				Stacking struct{ Mode string }
			}
		}
	}
}

// Step is a color from a value on.
type Step struct {
	Color string
	Value *float64
}

// Target is one query of a panel.
type Target struct {
	Expr   string
	Legend string `json:"legendFormat"`
}

// Panels reads the panels of a dashboard, rows included.
func Panels(dashboard []byte) ([]Panel, error) {
	var content struct{ Panels []Panel }
	if err := json.Unmarshal(dashboard, &content); err != nil {
		return nil, err
	}
	return content.Panels, nil
}

var labelInLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

// CheckTarget checks the query as Grafana would send it, and the labels of its legend.
func (s Schema) CheckTarget(t Target) (complaints []string) {
	result, complaints := s.Check(strings.ReplaceAll(t.Expr, "$__rate_interval", "5m"))
	have := of(result...)
	for _, found := range labelInLegend.FindAllStringSubmatch(t.Legend, -1) {
		if !have[found[1]] {
			complaints = append(complaints, fmt.Sprintf("the legend has the label %q, the series have %v", found[1], have.names()))
		}
	}
	return complaints
}
