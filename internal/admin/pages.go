package admin

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"
)

//go:embed style.css
var styleSheet string

// pages serves what shows the snapshot.
type pages struct {
	cfg    Config
	levels *levelSwitch
}

// refreshEvery is how often the index loads itself again when asked to.
const refreshEvery = 5 * time.Second

func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	v := p.view(r)
	if r.URL.Query().Has("refresh") {
		v.Refreshing = true
		w.Header().Set("Refresh", fmt.Sprint(int(refreshEvery.Seconds())))
	}
	writePage(w, indexPage(v))
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
		writePage(w, configPage(p.view(r)))
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
	_, _ = io.WriteString(w, styleSheet)
}

func writePage(w http.ResponseWriter, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // an error means that the reader has gone
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the values are plain: an error means that the reader has gone
}
