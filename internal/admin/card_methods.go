package admin

import (
	"strconv"
	"strings"

	"github.com/betmakers/paddock/internal/html"
)

// methodsCard lists the methods under their services, and asks who may call them.
func methodsCard(v view) html.Part {
	body := nothing("No method is registered.")
	if len(v.Methods) > 0 {
		body = html.All(methodsTable(v), html.If(v.Explains, explainForm(v.Methods)))
	}
	return html.El("section.wide", counted("Methods", len(v.Methods)), body)
}

func methodsTable(v view) html.Part {
	heads := html.All(columns("Method", "Kind"), number("Deadline"), columns("REST"),
		html.If(v.Traffic, number("Calls"), number("Failed"), number("In flight")))
	return table(heads, html.Each(v.Services, func(s serviceView) html.Part {
		return html.El("tbody",
			html.If(s.Name != "", serviceRow(s.Name, v.Traffic)),
			html.Each(s.Methods, func(m methodView) html.Part { return methodRow(m, v.Traffic) }),
		)
	}))
}

func serviceRow(name string, traffic bool) html.Part {
	across := html.Attr("colspan", "4")
	if traffic {
		across = html.Attr("colspan", "7")
	}
	return html.El("tr.group", html.El("th", across, html.Attr("scope", "rowgroup"), html.Text(name)))
}

func methodRow(m methodView, traffic bool) html.Part {
	deadline := dim("none")
	if m.Deadline != 0 {
		deadline = html.Text(span(m.Deadline))
	}
	routes := dim("–")
	if len(m.Routes) > 0 {
		routes = html.Each(m.Routes, func(route string) html.Part { return html.Leaf("div", route) })
	}
	return html.El("tr",
		html.El("td.mono.key", html.Text(m.Short),
			listed("callers: ", m.Callers),
			listed("promises: ", m.Promises),
			html.If(m.Overridden, html.Leaf("div.small.bad", "overridden by CHASSIS_POLICY_OVERRIDES"))),
		html.Leaf("td.nowrap", m.Kind),
		html.El("td.num", deadline),
		html.El("td.mono.wrap", routes),
		html.If(traffic, trafficCells(m.Traffic)),
	)
}

func listed(what string, items []string) html.Part {
	return html.If(len(items) > 0, html.Leaf("div.dim.small", what+strings.Join(items, ", ")))
}

func trafficCells(t *Traffic) html.Part {
	if t == nil {
		return html.All(html.El("td"), html.El("td"), html.El("td"))
	}
	failed := html.Leaf("td.num", count(t.Failed))
	if t.Failed > 0 {
		failed = html.Leaf("td.num.bad", count(t.Failed))
	}
	return html.All(html.Leaf("td.num", count(t.Calls)), failed, html.Leaf("td.num", strconv.FormatInt(t.InFlight, 10)))
}

func explainForm(methods []Method) html.Part {
	caller := html.El("input", html.Attr("name", "caller"),
		html.Attr("placeholder", "spiffe://… or user:…, empty for nobody"), html.Attr("size", "36"))
	method := html.El("select", html.Attr("name", "method"),
		html.Each(methods, func(m Method) html.Part { return html.Leaf("option", m.Name) }))
	return html.El("form", html.Attr("method", "get"), html.Attr("action", "/debug/authorize"),
		html.El("label", html.Text("May "), caller),
		html.El("label", html.Text("call "), method),
		html.Leaf("button", "Explain"))
}
