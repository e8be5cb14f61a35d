package admin

import "github.com/betmakers/paddock/internal/html"

// logLevelCard shows the level and changes it, for a while or for good.
func logLevelCard(v view) html.Part {
	body := nothing("It cannot be changed at run time.")
	if v.Log.Level != "" {
		body = html.All(levelNow(v), levelForm(v),
			html.Leaf("p.dim.small", "A change is logged with who made it, and lasts until the restart at most."))
	}
	return html.El("section", html.Attr("id", "log-level"), html.Leaf("h2", "Log level"), body)
}

func levelNow(v view) html.Part {
	var back html.Part
	if v.Log.BackAt != nil {
		back = html.All(html.Text(", back to "), html.Leaf("strong.mono", v.Log.BackTo), html.Text(" "), moment(v.Now, *v.Log.BackAt))
	}
	return html.El("p", html.Text("Now "), html.Leaf("strong.mono", v.Log.Level), back, html.Text("."))
}

func levelForm(v view) html.Part {
	level := html.El("select", html.Attr("name", "level"), html.Each(v.Levels, func(level string) html.Part {
		return html.El("option", html.If(level == v.Log.Level, html.Attr("selected", "")), html.Text(level))
	}))
	howLong := html.El("select", html.Attr("name", "for"),
		html.El("option", html.Value("10m"), html.Text("10 minutes")),
		html.El("option", html.Value("1h"), html.Text("1 hour")),
		html.El("option", html.Value(""), html.Text("until changed")))
	return html.El("form", html.Attr("method", "post"), html.Attr("action", "/debug/log-level"),
		html.El("label", html.Text("Level "), level),
		html.El("label", html.Text("How long "), howLong),
		html.Leaf("button", "Change"))
}
