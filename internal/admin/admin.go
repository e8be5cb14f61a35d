package admin

import (
	"io"
	"log/slog"
	"net/http"
	"runtime/trace"
	"time"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/fault"
)

// Config is what a [Handler] serves. Its zero value works: what is missing
// answers 404 or says on the page that it is off.
type Config struct {
	// Service is the service's name. It appears in the titles of the pages
	// and in the names of downloaded files.
	Service string

	// Metrics, Livez, Readyz and Startupz answer /metrics, /livez, /readyz and
	// /startupz, for GET and HEAD, to anyone. A nil one answers 404.
	Metrics, Livez, Readyz, Startupz http.Handler

	// Level is the level that /debug/log-level shows and changes. Nil means
	// that it cannot be changed.
	Level *slog.LevelVar

	// Logger gets a line for each change of the level and, whatever the level
	// is, for each refused request. Nil discards them.
	Logger *slog.Logger

	// Snapshot is called for each request for a page, from many goroutines at
	// once, and should return within milliseconds. Nil means nothing is known.
	Snapshot func() Snapshot

	// Steps are those of a call, in their order, each with its reason. They are
	// for the page alone. Without any it has no card for them.
	Steps []KV

	// Contract returns the contract of the service as Markdown, at /debug/contract.md. Nil answers
	// 404.
	Contract func() string

	// Allow says whether the caller may see /debug from wherever it comes,
	// judged by what it proved, as the certificate in r.TLS. It must not
	// decide by headers. It is asked for each request for /debug, from many
	// goroutines. Nil means loopback callers only.
	Allow func(r *http.Request) bool

	// NotLocal takes loopback callers out of those who may see /debug: Allow
	// alone decides, and with a nil Allow nobody sees it.
	NotLocal bool

	// Explain tells in words whether a caller may call a method, for
	// /debug/authorize. Method is "package.Service/Method", id a SPIFFE ID or the
	// name of a service, subject that of a bearer token; either or both may be
	// empty. It reports false for a method that it does not know. It is called
	// from many goroutines. Nil answers 404.
	Explain func(method, id, subject string) (string, bool)

	// Faults are the rules that /debug/faults shows and changes. Nil answers 404.
	Faults *fault.Set

	// MayChange returns why a caller that sees /debug may not set faults or the
	// log level, nil if it may. Nil means that all of them may.
	MayChange func(r *http.Request) error

	// Audit takes a record of each request for /debug that its policy wants,
	// and of each change. Nil keeps none.
	Audit *audit.Log

	// WriteTimeout is how long one write of an answer may wait for its reader.
	// It does not run while nothing is written. 0 means no limit.
	WriteTimeout time.Duration

	// FlightRecorder is what /debug/flight downloads. The caller starts and
	// stops it, and stops it only when requests have ended. Nil or one that
	// is not running answers 503.
	FlightRecorder *trace.FlightRecorder
}

// Handler serves the admin port. It may be called by many goroutines.
type Handler struct {
	root   http.Handler
	levels *levelSwitch
}

// New returns the handler for a configuration. [Handler.Close] ends it.
func New(cfg Config) *Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Snapshot == nil {
		cfg.Snapshot = func() Snapshot { return Snapshot{} }
	}
	levels := &levelSwitch{level: cfg.Level, logger: cfg.Logger}
	debug := auditor{cfg.Audit}.wrap(newGuard(cfg).wrap(debugRoutes(cfg, levels)))
	limited := limitWrites(limitBodies(routes(cfg, debug)), cfg.WriteTimeout)
	return &Handler{root: withHeaders(limited), levels: levels}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) }

// Close stops the timer that would take a temporary log level back, leaving
// the level as it is; changing it afterwards answers 503. Everything else goes
// on answering. Calling it twice is harmless.
func (h *Handler) Close() { h.levels.close() }

// routes are the paths for anyone, and the guarded rest.
func routes(cfg Config, debug http.Handler) http.Handler {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.Handler{
		"/metrics":  cfg.Metrics,
		"/livez":    cfg.Livez,
		"/readyz":   cfg.Readyz,
		"/startupz": cfg.Startupz,
	} {
		if handler != nil {
			mux.Handle("GET "+path, handler) // GET covers HEAD
		}
	}
	mux.HandleFunc("GET /{$}", links(cfg))
	mux.Handle("/debug", debug)
	mux.Handle("/debug/", debug)
	return mux
}

// debugRoutes is a mux of its own: http.DefaultServeMux is served nowhere,
// whatever a library registers there.
func debugRoutes(cfg Config, levels *levelSwitch) http.Handler {
	pages := &pages{cfg: cfg, levels: levels}
	mux := http.NewServeMux()
	mux.Handle("GET /debug", http.RedirectHandler("/debug/", http.StatusMovedPermanently))
	mux.HandleFunc("GET /debug/{$}", pages.index)
	mux.HandleFunc("GET /debug/status.json", pages.status)
	mux.HandleFunc("GET /debug/config", pages.config)
	mux.HandleFunc("GET /debug/style.css", pages.style)
	mux.Handle("GET /debug/authorize", explainer{cfg.Explain})
	if cfg.Contract != nil {
		mux.HandleFunc("GET /debug/contract.md", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
			_, _ = io.WriteString(w, cfg.Contract()) // a caller that is gone cannot be told
		})
	}
	mux.HandleFunc("GET /debug/log-level", levels.show)
	mux.Handle("PUT /debug/log-level", changing(cfg, levels.change))
	mux.Handle("POST /debug/log-level", changing(cfg, levels.change))
	faults := &faultSwitch{set: cfg.Faults}
	mux.Handle("GET /debug/faults", faults)
	mux.Handle("POST /debug/faults", changing(cfg, faults.add))
	mux.Handle("DELETE /debug/faults", auditor{cfg.Audit}.begin(faults))
	mux.Handle("GET /debug/flight", &flight{recorder: cfg.FlightRecorder, service: cfg.Service})
	registerPprof(mux)
	return mux
}

// contentPolicy lets a page load its own style sheet and post to its own port,
// and nothing else: a hostile string that got past the escaping could still
// run nothing and reach nobody.
const contentPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Not "no-referrer": under it browsers send "Origin: null" with our own
		// form, which the guard could not tell from a stranger's.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
