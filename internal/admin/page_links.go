package admin

import (
	"net/http"

	"github.com/betmakers/paddock/internal/html"
)

// links answers / with where to go, to anyone, and so with nothing more.
func links(cfg Config) http.HandlerFunc {
	page := linksPage(cfg.Service)
	return func(w http.ResponseWriter, _ *http.Request) { writePage(w, page) }
}

// linksPage has no style sheet: the one there is is guarded.
func linksPage(service string) []byte {
	prefix := ""
	if service != "" {
		prefix = service + " · "
	}
	return html.Page(
		html.El("head", meta(), html.Leaf("title", prefix+"admin")),
		html.El("body", html.Leaf("h1", prefix+"admin port"), html.El("ul",
			html.El("li", html.Link("/debug/", "/debug/"),
				html.Text(" the service at a glance (from this machine, or for identities let in)")),
			html.El("li", html.Link("/livez?verbose", "/livez"), html.Text(", "), html.Link("/readyz?verbose", "/readyz"),
				html.Text(", "), html.Link("/startupz?verbose", "/startupz"), html.Text(" probes")),
			html.El("li", html.Link("/metrics", "/metrics")),
		)),
	)
}
