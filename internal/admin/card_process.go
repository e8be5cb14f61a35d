package admin

import "github.com/betmakers/paddock/internal/html"

// profilesCard leads to what tells of the process itself.
func profilesCard(v view) html.Part {
	flight := html.All(html.Text("Flight recording "), dim(v.FlightOff))
	if v.Flight {
		flight = html.All(html.Link("/debug/flight", "Flight recording"), html.Text(" "), html.El("span.dim",
			html.Text("the last seconds before now, for "), html.Leaf("span.mono", "go tool trace")))
	}
	dot := html.Text(" · ")
	return html.El("section", html.Leaf("h2", "Profiles"),
		html.El("ul.tools",
			html.El("li", flight),
			html.El("li", html.Link("/debug/pprof/profile?seconds=10", "CPU, 10 s"), dot,
				html.Link("/debug/pprof/trace?seconds=5", "execution trace, 5 s")),
			html.El("li", html.Link("/debug/pprof/goroutine?debug=1", "Goroutines"), dot,
				html.Link("/debug/pprof/goroutine?debug=2", "with their stacks")),
			html.El("li", html.Link("/debug/pprof/heap", "Heap"), dot,
				html.Link("/debug/pprof/allocs", "allocations"), dot, html.Link("/debug/pprof/", "all profiles")),
		),
		html.Leaf("pre", "go tool pprof -http=: "+v.Base+"/debug/pprof/profile"),
	)
}

// buildCard is nothing where neither the build nor an address is known.
func buildCard(v view) html.Part {
	if len(v.Addresses)+len(v.Build) == 0 {
		return html.Part{}
	}
	return html.El("section", html.Leaf("h2", "Build and addresses"),
		html.El("dl.list", html.Each(v.Addresses, keyValue), html.Each(v.Build, keyValue)))
}

func keyValue(kv KV) html.Part {
	return html.All(html.Leaf("dt", kv.Key), html.Leaf("dd.mono.wrap", kv.Value))
}

// loadCard is nothing where nobody counts.
func loadCard(v view) html.Part {
	if len(v.Load) == 0 {
		return html.Part{}
	}
	return html.El("section", html.Leaf("h2", "Load"), html.El("dl.list", html.Each(v.Load, keyValue)))
}

// eventsCard is nothing before the first step.
func eventsCard(events []Event) html.Part {
	if len(events) == 0 {
		return html.Part{}
	}
	heads := html.El("tr", columns("Time", "Step"), number("Took"), columns("Detail"))
	return html.El("section.wide", counted("Start and stop", len(events)),
		html.El("div.scroll", html.El("table.events", html.El("thead", heads), html.El("tbody", html.Each(events, eventRow)))))
}

func eventRow(e Event) html.Part {
	took := ""
	if e.Duration != 0 {
		took = span(e.Duration)
	}
	return html.El("tr",
		html.El("td.mono.nowrap", html.Title(absolute(e.Time)), html.Text(e.Time.UTC().Format("15:04:05.000"))),
		html.Leaf("td.nowrap", e.Name),
		html.Leaf("td.num", took),
		html.El("td.wrap", html.Text(e.Detail), html.If(e.Error != "", html.Leaf("div.mono.bad", e.Error))),
	)
}
