package admin

import "github.com/betmakers/paddock/internal/html"

// stepsCard is nothing where the steps are not known.
func stepsCard(steps []KV) html.Part {
	if len(steps) == 0 {
		return html.Part{}
	}
	return html.El("section.wide", counted("A call's way", len(steps)),
		table(columns("Step", "What it is, and why it stands there"), html.El("tbody", html.Each(steps, func(s KV) html.Part {
			return html.El("tr", html.Leaf("td.mono.key", s.Key), html.Leaf("td", s.Value))
		}))))
}
