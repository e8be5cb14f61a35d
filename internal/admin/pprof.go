package admin

import (
	"fmt"
	"net/http"

	// Importing it registers its handlers on http.DefaultServeMux. Nothing in
	// the chassis serves that mux, so they are reachable only as registered here.
	"net/http/pprof"
	"strconv"
)

// The longest a profile may run, in seconds. Profiling costs every call, and a
// mistyped duration should not cost them for an hour.
const (
	maxProfileSeconds = 120
	maxTraceSeconds   = 30
)

// maxSymbolBytes bounds the addresses that one symbol request may ask for.
const maxSymbolBytes = 1 << 20

func registerPprof(mux *http.ServeMux) {
	mux.Handle("GET /debug/pprof/", bounded(maxProfileSeconds, pprofIndex)) // and every profile by name
	mux.Handle("GET /debug/pprof/profile", bounded(maxProfileSeconds, pprof.Profile))
	mux.Handle("GET /debug/pprof/trace", bounded(maxTraceSeconds, pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.Handle("POST /debug/pprof/symbol", http.MaxBytesHandler(http.HandlerFunc(pprof.Symbol), maxSymbolBytes))
	mux.HandleFunc("GET /debug/pprof/cmdline", noCmdline)
}

// pprofIndex loosens the policy for net/http/pprof's own list of profiles,
// which brings its style inside the page.
func pprofIndex(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/debug/pprof/" {
		w.Header().Set("Content-Security-Policy", contentPolicy+"; style-src-elem 'unsafe-inline'")
	}
	pprof.Index(w, r)
}

// bounded refuses a `seconds` that is no number or too long, before anything
// is started.
func bounded(most float64, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, text := range r.URL.Query()["seconds"] {
			if s, err := strconv.ParseFloat(text, 64); err != nil || !(s > 0 && s <= most) {
				http.Error(w, fmt.Sprintf("seconds=%q: expected a number above 0, at most %v", text, most), http.StatusBadRequest)
				return
			}
		}
		next(w, r)
	})
}

func noCmdline(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "off: a command line can carry secrets; /debug/config shows the settings, masked", http.StatusNotFound)
}
