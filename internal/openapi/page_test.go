package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/openapi"
)

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageAndItsFiles(t *testing.T) {
	doc := document(t)
	h := openapi.Handler(doc)
	for target, contentType := range map[string]string{
		"/openapi.json":   "application/json",
		"/docs":           "text/html; charset=utf-8",
		"/docs/style.css": "text/css; charset=utf-8",
		"/docs/app.js":    "text/javascript; charset=utf-8",
		"/docs/icon.svg":  "image/svg+xml",
	} {
		w := get(h, target)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v, want 200 and %s", target, w.Code, w.Header(), contentType)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", target, csp)
		}
		if again := get(h, target, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s asked for again: %d, want 304", target, again.Code)
		}
	}
	if got := get(h, "/openapi.json").Body.String(); got != string(doc) {
		t.Error("/openapi.json is not the document")
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	h := openapi.Handler(nil)
	for _, target := range []string{"/", "/docs/index.html", "/docs/../page.go", "/docs/assets/app.js"} {
		if w := get(h, target); w.Code == http.StatusOK {
			t.Errorf("%s: 200, want nothing there", target)
		}
	}
	if w := get(h, "/docs/"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "../docs" {
		t.Errorf("/docs/: %d to %q, want a redirect to ../docs", w.Code, w.Header().Get("Location"))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/docs", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", w.Code)
	}
}

// The page must work under its own policy and without a network: no inline code, and every file
// that it names is served.
func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	h := openapi.Handler(nil)
	page := get(h, "/docs").Body.String()
	if regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]|https?://`).MatchString(page) {
		t.Error("the page has inline code or an address elsewhere")
	}
	files := []string{"docs/schema.js", "docs/try.js"} // imported by app.js
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		files = append(files, m[1])
	}
	for _, file := range files {
		w := get(h, "/"+file)
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		if w.Code != http.StatusOK || strings.Contains(body, "://") || strings.Contains(body, "innerHTML") {
			t.Errorf("%s: %d, want it served, with no address elsewhere and no text set as markup", file, w.Code)
		}
	}
}
