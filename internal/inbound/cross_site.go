package inbound

import (
	"mime"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// newCrossSite returns the check of a request's origin. Origins are scheme, host and port, as
// "https://app.example.com".
func newCrossSite(trusted []string) (*http.CrossOriginProtection, error) {
	check := http.NewCrossOriginProtection()
	for _, origin := range trusted {
		if err := check.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return check, nil
}

// refuseCrossSite refuses a request that a browser makes for a page of another site, if the browser proves on its own
// who calls: the page must not do in the user's name what the user did not ask for. What other programs send has none
// of a browser's headers, and passes.
func refuseCrossSite(d *decision, h *httpCall) {
	if h == nil || !ambient(h.request, d.caller) {
		return
	}
	if err := h.server.crossSite.Check(h.request); err != nil {
		d.refuse(ReasonDenied, err.Error()+": an origin that is wanted belongs into CHASSIS_TRUSTED_ORIGINS",
			status.Error(codes.PermissionDenied, "a page of another site may not call in the user's name"))
	}
}

// ambient reports whether a browser would send what vouches for the caller with every request, whatever page asks for
// it: a client certificate, a cookie, a password that it remembers. A page that sends a bearer token has it.
func ambient(r *http.Request, c Caller) bool {
	if c.ID != "" || r.TLS != nil && len(r.TLS.PeerCertificates) > 0 || r.Header["Cookie"] != nil {
		return true
	}
	for _, value := range r.Header["Authorization"] {
		if scheme, _, _ := strings.Cut(value, " "); !strings.EqualFold(scheme, "bearer") {
			return true
		}
	}
	return false
}

// hasJSON reports whether the body of r is JSON by its media type, or has none: what a form of another site sends is a
// form or text, and no JSON whatever it looks like.
func hasJSON(r *http.Request) bool {
	switch types := r.Header["Content-Type"]; {
	case len(types) == 0:
		return true
	case len(types) > 1:
		return false
	case types[0] == "application/json":
		return true
	default:
		return isJSON(types[0])
	}
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case "application/json", "application/jsonl", "application/x-ndjson", "application/json-seq":
		return true
	}
	return strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
