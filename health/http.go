package health

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Livez returns a handler that answers 200 while the process can answer at all. It ignores the
// checks, because a restart does not repair a dependency.
func (m *Monitor) Livez() http.Handler {
	return handler("livez", func(bool) (bool, string) { return true, line(true, "process", "ok") })
}

// Readyz returns a handler that answers 200 if Ready is true, and otherwise 503 with the list of
// failing checks. ?verbose lists every check with its state and the time of the last change. The
// errors of checks are withheld, as in kube-apiserver, because probes have no identity and every
// client may ask. Status and the log have them.
func (m *Monitor) Readyz() http.Handler {
	return handler("readyz", func(verbose bool) (bool, string) {
		s := m.Status()
		var b strings.Builder
		b.WriteString(line(s.Serving, "serving", word(s.Serving, "ok", "switched off")))
		for _, c := range s.Checks {
			b.WriteString(checkLine(c, verbose))
		}
		return s.Ready, b.String()
	})
}

// Startupz returns a handler that answers 503 until MarkStarted is called, and 200 from then on.
func (m *Monitor) Startupz() http.Handler {
	return handler("startupz", func(bool) (bool, string) {
		started := m.started.Load()
		return started, line(started, "startup", word(started, "ok", "not complete"))
	})
}

// handler answers like the probes of kube-apiserver. The status code is the result. The body is
// `ok`, or a list for people that ends with the verdict.
func handler(name string, report func(verbose bool) (ok bool, list string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		verbose := r.URL.Query().Has("verbose")
		ok, list := report(verbose)
		body := list + name + " check " + word(ok, "passed", "failed") + "\n"
		if ok && !verbose {
			body = "ok"
		}
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(body)) // a prober that hung up needs no answer
	})
}

func checkLine(c CheckStatus, verbose bool) string {
	text := word(c.State == Passing, word(c.Degraded, "degraded", "ok"), string(c.State))
	if c.Soft {
		text += " (soft)"
	}
	if verbose {
		text += " since " + c.Since.UTC().Format(time.RFC3339)
		if c.LastError != "" {
			text += word(c.Degraded, "", fmt.Sprintf(", failures in a row: %d", c.Failures)) + ": reason withheld"
		}
	}
	return line(c.State == Passing, c.Name, text)
}

func line(ok bool, name, text string) string {
	return word(ok, "[+]", "[-]") + name + " " + text + "\n"
}

func word(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}
