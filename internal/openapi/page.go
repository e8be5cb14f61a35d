package openapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own files and call its own origin, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves doc at /openapi.json and a page to read and try it at /docs, with the page's files
// below that. It answers GET and HEAD, and 404 for any other path. The page refers to its
// neighbours relatively, so that it works behind a proxy that adds a prefix, and calls the
// interface at the origin it came from.
func Handler(doc []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /openapi.json", file("openapi.json", doc))
	mux.Handle("GET /docs", asset("index.html"))
	for _, name := range []string{"style.css", "app.js", "schema.js", "try.js", "icon.svg"} {
		mux.Handle("GET /docs/"+name, asset(name))
	}
	mux.HandleFunc("GET /docs/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../docs") // http.Redirect would make it absolute and lose the prefix
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	return mux
}

func asset(name string) http.Handler {
	content, err := assets.ReadFile(path.Join("assets", name))
	if err != nil {
		panic(err) // the list above and the folder differ: a mistake at compile time
	}
	return file(name, content)
}

// file serves content that does not change while the process runs: to be asked for again each time,
// and sent once.
func file(name string, content []byte) http.Handler {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType(name))
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}

// contentType is fixed here: what the mime package answers depends on the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/json"
	}
}
