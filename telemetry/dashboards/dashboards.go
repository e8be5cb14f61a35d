package dashboards

import (
	"encoding/json"
	"strings"
)

// Files returns what is to be installed, by path:
//
//	grafana/paddock-service.json, -fleet, -delivery, -bottlenecks    dashboards to import or to provision
//	kubernetes/dashboards.yaml                                       the same as ConfigMaps with the label
//	                                                                 grafana_dashboard, which Grafana's sidecar loads
//
// The content depends on the version of the module alone. The map is the caller's to change.
func Files() map[string][]byte {
	files := map[string][]byte{}
	var configMaps strings.Builder
	for _, d := range []dashboard{service(), fleet(), delivery(), bottlenecks()} {
		content := d.json()
		files["grafana/"+d.uid+".json"] = content
		configMaps.WriteString(configMap(d.uid, content))
	}
	files["kubernetes/dashboards.yaml"] = []byte(configMaps.String())
	return files
}

func configMap(name string, content []byte) string {
	var b strings.Builder
	b.WriteString("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name +
		"\n  labels: {app.kubernetes.io/name: paddock, grafana_dashboard: \"1\"}\ndata:\n  " + name + ".json: |\n")
	for line := range strings.Lines(string(content)) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// dashboard is one page. Its rows stand in their order, and the panels of a row from left to right.
type dashboard struct {
	uid, title, description string
	variables               []variable
	rows                    []row
}

type row struct {
	title  string
	height int // in units of Grafana, of 30 pixels each
	panels []panel
}

// variable is what the reader chooses: a value of label among the series.
type variable struct {
	name, series, label string
	all                 bool // may be all of them
}

// panel shows the series of its queries.
type panel struct {
	title, description string
	kind               string // timeseries, stat, table, bargauge
	unit               string // of Grafana: s, percentunit, reqps, short, bytes, …
	link               string // under docs/: a runbook, or an entry of metrics.md
	width              int    // of the 24 columns
	warn, bad          float64
	reverse            bool // low values are the bad ones
	stacked            bool
	words              map[string]string // what values stand for
	queries            []query
}

type query struct{ expr, legend string }

const docs = "https://github.com/betmakers/paddock/blob/main/docs/"

type object = map[string]any

func (d dashboard) json() []byte {
	var panels []object
	id, y := 0, 0
	add := func(p object, x, width, height int) {
		id++
		p["id"], p["gridPos"] = id, object{"x": x, "y": y, "w": width, "h": height}
		panels = append(panels, p)
	}
	for _, r := range d.rows {
		add(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, 0, 24, 1)
		y++
		x := 0
		for _, p := range r.panels {
			add(p.object(), x, p.width, r.height)
			x += p.width
		}
		y += r.height
	}
	content, err := json.MarshalIndent(object{
		"uid": d.uid, "title": d.title, "description": d.description, "tags": []string{"paddock"},
		"schemaVersion": 39, "version": 1, "editable": false, "refresh": "1m", "timezone": "browser",
		"time":       object{"from": "now-3h", "to": "now"},
		"templating": object{"list": d.templating()},
		"annotations": object{"list": []object{{
			"name": "Deployments", "enable": true, "datasource": datasource, "iconColor": "blue",
			"expr": "dora:deployment:event", "titleFormat": "{{service_name}}: {{kind}}", "step": "60s",
		}}},
		"links": []object{{
			"type": "dashboards", "title": "Paddock", "tags": []string{"paddock"}, "asDropdown": false, "keepTime": true, "includeVars": true,
		}},
		"panels": panels,
	}, "", "  ")
	if err != nil {
		panic("dashboards: " + err.Error()) // strings and numbers always encode
	}
	return append(content, '\n')
}

var datasource = object{"type": "prometheus", "uid": "${datasource}"}

func (d dashboard) templating() []object {
	list := []object{{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}}
	for _, v := range d.variables {
		q := "label_values(" + v.series + ", " + v.label + ")"
		o := object{
			"name": v.name, "type": "query", "label": v.name, "datasource": datasource, "definition": q,
			"query": object{"query": q, "refId": "A"}, "refresh": 2, "sort": 1, "multi": v.all, "includeAll": v.all,
		}
		if v.all {
			o["allValue"] = ".*" // what has no such label too
			o["current"] = object{"text": "All", "value": "$__all"}
		}
		list = append(list, o)
	}
	return list
}

func (p panel) object() object {
	var targets []object
	for i, q := range p.queries {
		t := object{"refId": string(rune('A' + i)), "datasource": datasource, "expr": q.expr, "legendFormat": q.legend}
		if p.kind != "timeseries" {
			t["instant"], t["range"] = true, false
		}
		if p.kind == "table" {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	return object{
		"type": p.kind, "title": p.title, "description": p.description, "datasource": datasource, "targets": targets,
		"links":       []object{{"title": "What this is", "url": docs + p.link, "targetBlank": true}},
		"fieldConfig": object{"defaults": p.defaults(), "overrides": []object{}},
		"options":     p.options(),
	}
}

func (p panel) defaults() object {
	steps := []object{{"color": "green", "value": nil}}
	switch {
	case p.reverse:
		steps = []object{{"color": "red", "value": nil}, {"color": "yellow", "value": p.bad}, {"color": "green", "value": p.warn}}
	case p.bad > 0:
		steps = append(steps, object{"color": "yellow", "value": p.warn}, object{"color": "red", "value": p.bad})
	}
	o := object{"unit": p.unit, "thresholds": object{"mode": "absolute", "steps": steps}, "noValue": "none"}
	if p.kind == "timeseries" {
		style, stacking := "off", "none"
		if p.bad > 0 {
			style = "line"
		}
		if p.stacked {
			stacking = "normal"
		}
		o["min"] = 0
		o["custom"] = object{
			"lineWidth": 2, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
			"thresholdsStyle": object{"mode": style}, "stacking": object{"mode": stacking, "group": "A"},
		}
	} else {
		o["color"] = object{"mode": "thresholds"}
	}
	if len(p.words) > 0 {
		values := object{}
		for value, word := range p.words {
			values[value] = object{"text": word}
		}
		o["mappings"] = []object{{"type": "value", "options": values}}
	}
	return o
}

func (p panel) options() object {
	reduce := object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.kind {
	case "stat":
		return object{"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", "textMode": "auto"}
	case "bargauge":
		return object{"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic"}
	case "table":
		return object{"showHeader": true}
	default:
		return object{
			"legend":  object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}},
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}
	}
}
