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

// refuseCrossSite refuses a request that a browser makes for a page of another site, if the
// browser itself provides the proof of identity. Such a page must not act in the name of a user
// who has not asked for it. Requests of other programs lack the browser's headers and pass.
func refuseCrossSite(d *decision, h *httpCall) {
	if h == nil || !ambient(h.request, d.caller) {
		return
	}
	if err := h.server.crossSite.Check(h.request); err != nil {
		d.refuse(ReasonDenied, err.Error()+": an origin that is wanted belongs into CHASSIS_TRUSTED_ORIGINS",
			status.Error(codes.PermissionDenied, "a page of another site may not call in the user's name"))
	}
}

// ambient reports whether a browser would send the caller's credentials with every request, from
// any page: a client certificate, a cookie, a stored password. A page that sends a bearer token
// must have it already.
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

// hasJSON reports whether r has JSON by its media type, or no body. A form of another site can
// only send a form or text as its media type.
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
