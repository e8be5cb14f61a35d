package admin

import "github.com/betmakers/paddock/internal/html"

// indexPage is the service at a glance.
func indexPage(v view) []byte {
	title := v.Service
	if v.Phase != "" {
		title += " · " + v.Phase
	}
	return html.Page(
		head(title),
		html.El("body",
			html.El("header", titleBar(v), indexLinks(v), facts(v)),
			troublesList(v.Troubles),
			html.El("main",
				faultsCard(v),
				methodsCard(v),
				html.El("div.col", loadCard(v), checksCard(v), workersCard(v.Workers), profilesCard(v)),
				html.El("div.col", certificatesCard(v), buildCard(v), logLevelCard(v)),
				stepsCard(v.Steps),
				settingsCard(v),
				eventsCard(v.Events),
			),
			indexFooter(v),
		),
	)
}

func titleBar(v view) html.Part {
	ready := "not ready"
	if v.Ready {
		ready = "ready"
	}
	return html.El("div.title", html.Leaf("h1", v.Service), html.If(v.Phase != "", state(v.Phase)), state(ready))
}

func indexLinks(v view) html.Part {
	refresh := html.Link("/debug/?refresh", "Refresh every 5 s")
	if v.Refreshing {
		refresh = html.Link("/debug/", "Stop refreshing")
	}
	return html.El("nav", refresh,
		html.Link("/debug/status.json", "JSON"), html.Link("/metrics", "Metrics"), html.Link("/readyz?verbose", "Readiness"))
}

// facts is the line of what tells this instance from others.
func facts(v view) html.Part {
	return html.El("dl.facts",
		fact("Version", v.Version),
		fact("Environment", v.Environment),
		fact("Instance", v.Instance),
		html.If(!v.Started.IsZero(), html.El("div", html.Leaf("dt", "Started"), html.El("dd", moment(v.Now, v.Started)))),
		html.If(v.Identity != "", html.El("div.grow", html.Leaf("dt", "Identity"), html.Leaf("dd.mono", v.Identity))),
	)
}

func fact(name, value string) html.Part {
	return html.If(value != "", html.El("div", html.Leaf("dt", name), html.Leaf("dd", value)))
}

func troublesList(troubles []string) html.Part {
	return html.If(len(troubles) > 0, html.El("ul.troubles", html.Each(troubles, func(line string) html.Part {
		return html.Leaf("li", line)
	})))
}

func indexFooter(v view) html.Part {
	return html.El("footer.dim",
		html.Text(absolute(v.Now)+" · "), html.Link("/debug/config", "all settings"),
		html.Text(" · "), html.Link("/debug/status.json", "status.json"),
		html.Text(" · nothing on this page comes from elsewhere"))
}
