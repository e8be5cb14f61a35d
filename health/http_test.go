package health_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/betmakers/paddock/health"
)

func get(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestProbesOverHTTP(t *testing.T) {
	m := newMonitor(t, health.Config{})
	add(t, m, health.Check{Name: "db", Probe: fail}, health.Check{Name: "cache", Probe: fail, Soft: true}, health.Check{Name: "queue", Probe: pass})
	started(t, m)
	ok := newMonitor(t, health.Config{})
	add(t, ok, health.Check{Name: "db", Probe: pass})
	started(t, ok)
	ok.MarkStarted()
	drained := newMonitor(t, health.Config{})

	const since = ` since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	const text = `, failures in a row: 1: reason withheld`
	tests := []struct {
		name    string
		handler http.Handler
		target  string
		code    int
		body    string // a regular expression
	}{
		{"live", ok.Livez(), "/livez", 200, `ok`},
		{"live whatever the checks say", m.Livez(), "/livez", 200, `ok`},
		{"live, verbose", m.Livez(), "/livez?verbose", 200, `\[\+\]process ok\nlivez check passed\n`},
		{"ready", ok.Readyz(), "/readyz", 200, `ok`},
		{"ready, verbose", ok.Readyz(), "/readyz?verbose", 200, `\[\+\]serving ok\n\[\+\]db ok` + since + `\nreadyz check passed\n`},
		{"not ready: reasons withheld", m.Readyz(), "/readyz", 503,
			`\[\+\]serving ok\n\[-\]db failing\n\[-\]cache failing \(soft\)\n\[\+\]queue ok\nreadyz check failed\n`},
		{"not ready, verbose", m.Readyz(), "/readyz?verbose=1", 503, `\[\+\]serving ok\n\[-\]db failing` + since + text +
			`\n\[-\]cache failing \(soft\)` + since + text + `\n\[\+\]queue ok` + since + `\nreadyz check failed\n`},
		{"switched off", drained.Readyz(), "/readyz", 503, `\[-\]serving switched off\nreadyz check failed\n`},
		{"started", ok.Startupz(), "/startupz", 200, `ok`},
		{"not started", m.Startupz(), "/startupz", 503, `\[-\]startup not complete\nstartupz check failed\n`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(tt.handler, http.MethodGet, tt.target)
			if body := w.Body.String(); w.Code != tt.code || !regexp.MustCompile(`^`+tt.body+`$`).MatchString(body) {
				t.Errorf("got %d %q, want %d %q", w.Code, body, tt.code, tt.body)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
		})
	}
}

func TestProbesTakeGetAndHeadOnly(t *testing.T) {
	m := newMonitor(t, health.Config{})
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405, "OPTIONS": 405} {
		if w := get(m.Livez(), method, "/livez"); w.Code != want || (want == 405) != (w.Header().Get("Allow") == "GET, HEAD") {
			t.Errorf("%s: %d, Allow %q; want %d", method, w.Code, w.Header().Get("Allow"), want)
		}
	}
}

func TestNoProbeRunsOnARequestsWay(t *testing.T) {
	m, p := newMonitor(t, health.Config{}), new(toggle)
	add(t, m, health.Check{Name: "db", Probe: p.probe})
	started(t, m)
	for range 100 {
		get(m.Readyz(), http.MethodGet, "/readyz?verbose")
	}
	if n := p.runs.Load(); n != 1 {
		t.Errorf("the probe ran %d times, want only its first run", n)
	}
}

// Anyone may ask a probe, so it says nothing of what a check says: neither why it failed nor why it
// is degraded or panicked. Operators read it in Status and in the log.
func TestProbesWithholdReasons(t *testing.T) {
	const reason = "dial tcp db-7.internal:5432\n[+]db ok"
	for name, probe := range map[string]func(context.Context) error{
		"failed":   errProbe(reason),
		"degraded": func(context.Context) error { return health.Degraded(errors.New(reason)) },
		"panicked": func(context.Context) error { panic(reason) },
	} {
		for _, soft := range []bool{false, true} {
			m := newMonitor(t, health.Config{})
			add(t, m, health.Check{Name: "db", Probe: probe, Soft: soft})
			started(t, m)
			for _, target := range []string{"/readyz", "/readyz?verbose", "/readyz?verbose=1"} {
				for _, handler := range []http.Handler{m.Readyz(), m.Livez(), m.Startupz()} {
					if body := get(handler, http.MethodGet, target).Body.String(); strings.Contains(body, "db-7") || strings.Contains(body, "\n[+]db ok\n") && name != "degraded" {
						t.Errorf("%s: %s says %q", name, target, body)
					}
				}
			}
			if body := get(m.Readyz(), http.MethodGet, "/readyz?verbose").Body.String(); !strings.Contains(body, "reason withheld") {
				t.Errorf("%s: %q does not say that there is a reason", name, body)
			}
			if got := m.Status().Checks[0].LastError; !strings.Contains(got, "db-7") {
				t.Errorf("%s: operators read %q, want the reason", name, got)
			}
		}
	}
}
