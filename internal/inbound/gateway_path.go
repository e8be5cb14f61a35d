package inbound

import (
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// google/api/http.proto says what a percent-encoded path means. A variable of one segment has its
// decoded text, slashes included. A variable of several, such as {name=shelves/*} or {name=**}, has
// it too, but %2F stays as it is: what is between two slashes can be told from what has one.
// The gateway compares literals with the path as it was sent, and decodes each segment by itself.

// GatewayHandler returns mux, a gateway of [Server.Gateway], for requests whose paths are encoded
// in any way.
func GatewayHandler(mux *gateway.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath != "" {
			r = withRawPath(r, plainPath(r.URL.RawPath))
		}
		mux.ServeHTTP(w, r)
	})
}

func withRawPath(r *http.Request, path string) *http.Request {
	changed, at := *r, *r.URL
	at.RawPath = path
	changed.URL = &at
	return &changed
}

// plainPath decodes what has no meaning of its own in a path. %2F, %25 and %3A stay, because a
// slash separates segments, a percent sign begins an escape, and a colon begins a verb.
func plainPath(raw string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(raw, "%")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		escape := raw[len(before):]
		if len(rest) >= 2 {
			escape, rest = escape[:3], rest[2:]
		} else {
			rest = ""
		}
		switch text, err := url.PathUnescape(escape); {
		case err != nil, text == "/", text == "%", text == ":":
			b.WriteString(escape)
		default:
			b.WriteString(text)
		}
		raw = rest
	}
}

// keepSlashes corrects the variables of several segments for a path with an encoded slash.
func keepSlashes(r *http.Request, variables map[string]string) {
	if !strings.Contains(r.URL.RawPath, "%2") {
		return
	}
	pattern, ok := gateway.HTTPPattern(r.Context())
	if !ok {
		return
	}
	path, verb := r.URL.RawPath, ""
	if ends := ":" + pattern.Verb(); len(ends) > 1 && strings.HasSuffix(path, ends) {
		path, verb = strings.TrimSuffix(path, ends), pattern.Verb()
	}
	raw, err := pattern.MatchAndEscape(strings.Split(path[1:], "/"), verb, gateway.UnescapingModeLegacy)
	if err != nil {
		return
	}
	for name, value := range raw {
		if severalSegments(pattern.String(), name) {
			variables[name] = keptSlash.Replace(value)
		}
	}
}

// keptSlash decodes what plainPath leaves, but slashes.
var keptSlash = strings.NewReplacer("%25", "%", "%3A", ":", "%3a", ":")

// severalSegments reports whether a variable of a pattern may have more than one segment.
func severalSegments(pattern, variable string) bool {
	_, rest, _ := strings.Cut(pattern, "{"+variable+"=")
	form, _, _ := strings.Cut(rest, "}")
	return form != "*"
}
