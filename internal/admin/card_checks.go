package admin

import (
	"strconv"
	"time"

	"github.com/betmakers/paddock/internal/html"
)

func checksCard(v view) html.Part {
	body := nothing("No check is registered: the service is ready as soon as it serves.")
	if len(v.Checks) > 0 {
		heads := html.All(columns("Check", "State"), number("Took"), columns("Last run"))
		body = table(heads, html.El("tbody", html.Each(v.Checks, func(c Check) html.Part {
			return html.All(checkRow(c, v.Now), html.If(c.LastError != "", html.El("tr", failing(c.State),
				html.El("td.mono.wrap", html.Attr("colspan", "4"), html.Text(c.LastError)))))
		})))
	}
	return html.El("section", counted("Health checks", len(v.Checks)), body)
}

func checkRow(c Check, now time.Time) html.Part {
	kind, took := "soft", "–"
	if c.Hard {
		kind = "hard: decides readiness"
	}
	if !c.LastRun.IsZero() {
		took = span(c.Duration)
	}
	since := html.El("div.dim.small.nowrap", html.Title(absolute(c.Since)), html.Text("for "+lasted(now, c.Since)))
	return html.El("tr",
		html.El("td.mono.key", html.Text(c.Name), html.Leaf("div.dim.small", kind)),
		html.El("td", state(c.State), html.If(!c.Since.IsZero(), since)),
		html.Leaf("td.num", took),
		html.El("td.nowrap", html.Title(absolute(c.LastRun)), html.Text(relative(now, c.LastRun))),
	)
}

// workersCard is nothing for a service without workers.
func workersCard(workers []Worker) html.Part {
	if len(workers) == 0 {
		return html.Part{}
	}
	heads := html.All(columns("Worker", "State"), number("Restarts"))
	return html.El("section", counted("Workers", len(workers)),
		table(heads, html.El("tbody", html.Each(workers, workerRows))))
}

func workerRows(w Worker) html.Part {
	return html.All(
		html.El("tr",
			html.Leaf("td.mono.key", w.Name),
			html.El("td", state(w.State)),
			html.Leaf("td.num", strconv.Itoa(w.Restarts))),
		html.If(w.LastError != "", html.El("tr", failing(w.State),
			html.El("td.mono.wrap", html.Attr("colspan", "3"), html.Text(w.LastError)))),
	)
}

// failing is the class of a row that holds the last error of something in a state.
func failing(state string) html.Part { return html.Class("error " + tone(state)) }
