package admin

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"text/tabwriter"
	"time"
)

//go:embed assets
var assets embed.FS

// pages serves what shows the snapshot.
type pages struct {
	cfg       Config
	levels    *levelSwitch
	templates *template.Template
	css       []byte
}

// newPages parses the embedded templates; they are part of the program, so an
// error in them is ours and panics.
func newPages(cfg Config, levels *levelSwitch) *pages {
	css, err := assets.ReadFile("assets/style.css")
	if err != nil {
		panic(err)
	}
	funcs := template.FuncMap{"span": span, "absolute": absolute, "relative": relative, "lasted": lasted, "count": count, "tone": tone}
	return &pages{
		cfg:       cfg,
		levels:    levels,
		templates: template.Must(template.New("").Funcs(funcs).ParseFS(assets, "assets/*.html")),
		css:       css,
	}
}

// refreshEvery is how often the index loads itself again when asked to.
const refreshEvery = 5 * time.Second

func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	v := p.view(r)
	if r.URL.Query().Has("refresh") {
		v.Refreshing = true
		w.Header().Set("Refresh", fmt.Sprint(int(refreshEvery.Seconds())))
	}
	p.render(w, r, "index.html", v)
}

// status answers /debug/status.json: the snapshot and what the handler knows
// itself. Durations are nanoseconds, moments RFC 3339.
func (p *pages) status(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, struct {
		Snapshot
		LogLevel       levelState `json:"log_level"`
		FlightRecorder bool       `json:"flight_recorder"`
	}{p.cfg.Snapshot(), p.levels.state(), flightRunning(p.cfg.FlightRecorder)})
}

// config answers /debug/config as a page, JSON or text, as the caller accepts.
func (p *pages) config(w http.ResponseWriter, r *http.Request) {
	switch {
	case accepts(r, "text/html"):
		p.render(w, r, "config.html", p.view(r))
	case accepts(r, "application/json"):
		writeJSON(w, struct {
			Settings []Setting `json:"settings"`
		}{p.cfg.Snapshot().Settings})
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, s := range p.cfg.Snapshot().Settings {
			_, _ = fmt.Fprintf(tw, "%s\t%q\t%s\n", s.Name, s.Value, s.Origin)
		}
		_ = tw.Flush() // an error means that the reader has gone
	}
}

func (p *pages) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(p.css)
}

// render fills a template before the first byte is sent, so that a failure is
// an error and not half a page.
func (p *pages) render(w http.ResponseWriter, r *http.Request, name string, v view) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, v); err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "admin: page not rendered", "page", name, "error", err)
		http.Error(w, "the page could not be rendered; /debug/status.json has the same facts", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w)
}

// links answers / with where to go, to anyone, and so with nothing more.
func links(cfg Config) http.HandlerFunc {
	page := template.Must(template.ParseFS(assets, "assets/links.html"))
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.ExecuteTemplate(w, "links.html", cfg.Service)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the values are plain: an error means that the reader has gone
}
