package admin

import (
	"strconv"

	"github.com/betmakers/paddock/internal/html"
)

// configPage is the effective settings and nothing else.
func configPage(v view) []byte {
	return html.Page(
		head(v.Service+" · settings"),
		html.El("body",
			html.El("header",
				html.El("div.title", html.Leaf("h1", v.Service), dim("effective settings, secrets masked")),
				html.El("nav", html.Link("/debug/", "Overview"))),
			html.El("main",
				html.El("section.wide", counted("Set here", len(v.Changed)), changedSettings(v.Changed)),
				html.If(len(v.Defaults) > 0,
					html.El("section.wide", counted("At their defaults", len(v.Defaults)), settingsTable(v.Defaults))),
			),
		),
	)
}

// settingsCard is nothing for a service without settings.
func settingsCard(v view) html.Part {
	if len(v.Settings) == 0 {
		return html.Part{}
	}
	return html.El("section.wide", counted("Settings", len(v.Settings)), changedSettings(v.Changed),
		html.If(len(v.Defaults) > 0, html.El("details",
			html.Leaf("summary", strconv.Itoa(len(v.Defaults))+" at their defaults"), settingsTable(v.Defaults))))
}

func changedSettings(changed []Setting) html.Part {
	if len(changed) == 0 {
		return nothing("Nothing is set: every setting has its default.")
	}
	return settingsTable(changed)
}

func settingsTable(settings []Setting) html.Part {
	return table(columns("Setting", "Value", "From", "Meaning"), html.El("tbody", html.Each(settings, settingRow)))
}

func settingRow(s Setting) html.Part {
	value := dim("empty")
	if s.Value != "" {
		value = html.Text(s.Value)
	}
	return html.El("tr",
		html.Leaf("td.mono.key", s.Name),
		html.El("td.mono.wrap", value),
		html.Leaf("td", s.Origin),
		html.El("td.dim.prose", html.Text(s.Meaning), html.If(s.Origin != "default" && s.Default != "",
			html.El("div", html.Text("Default: "), html.Leaf("span.mono.wrap", s.Default)))),
	)
}
