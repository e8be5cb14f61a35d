package admin

import (
	"strconv"
	"time"

	"github.com/betmakers/paddock/internal/html"
)

func certificatesCard(v view) html.Part {
	body := nothing("No certificate: mutual TLS is off.")
	if len(v.Certs) > 0 {
		body = table(columns("Certificate", "State", "Expires"),
			html.El("tbody", html.Each(v.Certs, func(c certView) html.Part { return certificateRow(c, v.Now) })))
	}
	return html.El("section", counted("Certificates", len(v.Certs)), body)
}

func certificateRow(c certView, now time.Time) html.Part {
	return html.El("tr",
		html.El("td", html.Leaf("span.use", c.Use), html.Text(" "), html.Leaf("span.wrap", c.Subject),
			html.If(c.ID != "", html.Leaf("div.mono.small.wrap", c.ID)),
			html.El("div.dim.small.wrap",
				html.If(c.Serial != "", html.Text("serial "), html.Leaf("span.mono", c.Serial)),
				html.If(c.Issuer != "", html.Text(" · by "+c.Issuer)))),
		html.El("td", state(c.State)),
		html.El("td.nowrap", html.Text(relative(now, c.NotAfter)), html.Leaf("div.dim.small", absolute(c.NotAfter)), lifeLeft(c)),
	)
}

func lifeLeft(c certView) html.Part {
	left := strconv.Itoa(c.Left)
	return html.El("progress", html.Class(tone(c.State)), html.Attr("max", "100"), html.Value(left),
		html.Title(left+" % of its life is left"), html.Text(left+" %"))
}
