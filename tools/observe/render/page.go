package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot/vg"

	"github.com/betmakers/paddock/telemetry/dashboards"
	"github.com/betmakers/paddock/tools/observe/contract"
)

// order is that of the page.
var order = []string{"paddock-service", "paddock-fleet", "paddock-delivery", "paddock-bottlenecks"}

type section struct {
	ID, Title, Description, Service, When string
	Panels                                []view
}

// view is a panel with what its queries gave.
type view struct {
	contract.Panel
	Row  bool
	Body template.HTML
	Link string
}

// writePage evaluates every panel and writes the page. It returns the panels without data.
func writePage(ctx context.Context, p *prometheus, t times, out string) (empty []string, err error) {
	var sections []section
	for _, id := range order {
		s, none, err := evaluate(ctx, p, t, id)
		if err != nil {
			return nil, err
		}
		sections, empty = append(sections, s), append(empty, none...)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, sections); err != nil {
		return nil, err
	}
	return empty, os.WriteFile(out, b.Bytes(), 0o600)
}

func evaluate(ctx context.Context, p *prometheus, t times, id string) (s section, empty []string, err error) {
	content := dashboards.Files()["grafana/"+id+".json"]
	var head struct{ Title, Description string }
	if err := json.Unmarshal(content, &head); err != nil {
		return s, nil, err
	}
	panels, err := contract.Panels(content)
	if err != nil {
		return s, nil, err
	}
	s = section{ID: id, Title: head.Title, Description: head.Description, Service: "hello"}
	to := t.failing
	if id == "paddock-delivery" {
		to = t.end
	}
	if id == "paddock-bottlenecks" || id == "paddock-service" {
		s.Service = "frontdesk"
	} else {
		s.Service = ""
	}
	s.When = to.Format(time.TimeOnly)
	for _, panel := range panels {
		v, err := render(ctx, p, panel, s.Service, t.start, to)
		if err != nil {
			return s, nil, fmt.Errorf("%s: %s: %w", head.Title, panel.Title, err)
		}
		if v.Body == "" && !v.Row {
			empty = append(empty, head.Title+": "+panel.Title)
			v.Body = `<p class="none">no data</p>`
		}
		s.Panels = append(s.Panels, v)
	}
	return s, empty, nil
}

func render(ctx context.Context, p *prometheus, panel contract.Panel, service string, from, to time.Time) (view, error) {
	v := view{Panel: panel, Row: panel.Type == "row"}
	if v.Row {
		return v, nil
	}
	v.Link = panel.Links[0].URL
	var lines []line
	for _, target := range panel.Targets {
		expr := strings.NewReplacer("$service", service, "$namespace", ".*", "$__rate_interval", "10s").Replace(target.Expr)
		ask := func() ([]result, error) { return p.at(ctx, expr, to) }
		if panel.Type == "timeseries" {
			ask = func() ([]result, error) { return p.between(ctx, expr, from, to) }
		}
		results, err := ask()
		if err != nil {
			return v, err
		}
		for _, r := range results {
			l := line{name: legend(target.Legend, r.Metric), values: r.Values}
			if l.name == "" {
				l.name = "unknown"
			}
			if panel.Type != "timeseries" {
				l.values = []sample{r.Value}
			}
			if panel.Type == "table" {
				l.name = cells(r.Metric)
			}
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return v, nil
	}
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
	for i := range lines {
		lines[i].color = colorOf(i)
	}
	var err error
	v.Body, err = body(panel, lines, from, to)
	return v, err
}

func body(panel contract.Panel, lines []line, from, to time.Time) (template.HTML, error) {
	switch panel.Type {
	case "timeseries":
		width, height := vg.Length(panel.GridPos.W)*vg.Points(38), vg.Length(panel.GridPos.H)*vg.Points(17)
		svg, err := drawPlot(panel, lines, from, to, width, height)
		if err != nil {
			return "", err
		}
		return execute("plot", struct {
			SVG   template.HTML
			Lines []row
		}{template.HTML(svg), rows(panel, lines)})
	case "stat":
		return execute("stat", rows(panel, lines)[0])
	case "bargauge":
		return execute("bars", bars(panel, lines))
	default:
		return execute("table", rows(panel, lines))
	}
}

// row is one series as text.
type row struct {
	Name, Value, Level string
	Color              template.CSS
	Share              float64
}

func rows(panel contract.Panel, lines []line) (all []row) {
	unit := panel.FieldConfig.Defaults.Unit
	for _, l := range lines {
		last := l.values[len(l.values)-1].value
		text := format(last, unit)
		for _, m := range panel.FieldConfig.Defaults.Mappings {
			if word, ok := m.Options[text]; ok {
				text = word.Text
			}
		}
		all = append(all, row{
			Name: l.name, Value: text, Level: level(panel, last),
			Color: template.CSS(fmt.Sprintf("rgb(%d,%d,%d)", l.color.R, l.color.G, l.color.B)),
		})
	}
	return all
}

func bars(panel contract.Panel, lines []line) []row {
	all, top := rows(panel, lines), 0.0
	for _, l := range lines {
		top = max(top, l.values[0].value)
	}
	if panel.FieldConfig.Defaults.Unit == "percentunit" {
		top = max(top, 1)
	}
	for i, l := range lines {
		if top > 0 {
			all[i].Share = 100 * max(l.values[0].value, 0) / top
		}
	}
	return all
}

func legend(form string, labels map[string]string) string {
	for name, value := range labels {
		form = strings.ReplaceAll(form, "{{"+name+"}}", value)
	}
	for {
		before, rest, ok := strings.Cut(form, "{{")
		if !ok {
			return strings.TrimSpace(form)
		}
		_, after, _ := strings.Cut(rest, "}}")
		form = before + after
	}
}

func cells(labels map[string]string) string {
	var names []string
	for name := range labels {
		if name != "__name__" && labels[name] != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, name+" "+labels[name])
	}
	return strings.Join(parts, " · ")
}

func execute(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	err := page.ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err
}
