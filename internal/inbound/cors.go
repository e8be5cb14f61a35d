package inbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// cors answers browsers whether pages of other sites may call and read the answers: CORS of the
// Fetch standard. It refuses nothing. A page of a site that is not listed cannot read answers.
type cors struct {
	anyone   bool            // every origin, without credentials
	origins  map[string]bool // "https://app.example.com"
	under    []subdomains
	trusted  map[string]bool // origins that may also send the credentials of the browser
	requests string          // header fields that a page may send
	answers  string          // and those that it may read
	edge     *Edge
	next     http.Handler
}

// subdomains are the origins of "https://*.example.com".
type subdomains struct{ scheme, domain string } // "https://" and ".example.com", with a port if there is one

const (
	allowOrigin   = "Access-Control-Allow-Origin"
	exposeHeaders = "Access-Control-Expose-Headers"
)

// requestFields are the header fields that the chassis, the gateway and browsers' own code use.
var requestFields = [...]string{
	"Accept", "Accept-Language", "Authorization", "Baggage", "Cache-Control", "Content-Type", "Grpc-Timeout",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Last-Event-ID", "Range", "Request-Timeout",
	"Traceparent", "Tracestate", "X-Requested-With",
}

// answerFields are those that a page may read, beside the ones that the Fetch standard lets it
// read and the ones that a handler sets.
var answerFields = [...]string{
	"Allow", "Content-Disposition", "Content-Encoding", "Content-Length", "ETag", "Link", "Location", "RateLimit", "RateLimit-Policy",
	"Retry-After", TraceHeader,
}

// isExposed reports whether a page can read a field without further mention.
func isExposed(name string) bool {
	switch name {
	case "Cache-Control", "Content-Language", "Content-Type", "Expires", "Last-Modified", "Pragma":
		return true
	}
	return slices.ContainsFunc(answerFields[:], func(f string) bool { return strings.EqualFold(f, name) })
}

// preflightAge is how long a browser may keep the answer to a preflight, in seconds.
const preflightAge = "600"

// newCORS returns the rules for origins, nil for none. Fields are further header fields that a
// page may send.
func newCORS(origins, trusted, fields []string) (*cors, error) {
	if len(origins) == 0 {
		return nil, nil //nolint:nilnil // no CORS is no error
	}
	c := &cors{origins: map[string]bool{}, trusted: map[string]bool{}}
	for _, origin := range origins {
		if err := CheckOrigin(origin); err != nil {
			return nil, err
		}
		origin = strings.ToLower(origin)
		switch scheme, domain, wild := strings.Cut(origin, "*"); {
		case origin == "*":
			c.anyone = true
		case wild:
			c.under = append(c.under, subdomains{scheme, domain})
		default:
			c.origins[origin] = true
		}
	}
	for _, origin := range trusted {
		c.trusted[strings.ToLower(origin)] = true
	}
	sent := slices.Clone(requestFields[:])
	for _, f := range fields {
		sent = append(sent, textproto.CanonicalMIMEHeaderKey(f))
	}
	slices.Sort(sent)
	c.requests, c.answers = strings.Join(slices.Compact(sent), ", "), strings.Join(answerFields[:], ", ")
	return c, nil
}

// CheckOrigin returns what is wrong with an origin of [Config].CORSOrigins.
func CheckOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	scheme, domain, wild := strings.Cut(origin, "*")
	if wild && (!strings.HasSuffix(scheme, "://") || !strings.HasPrefix(domain, ".") || strings.Count(domain, ".") < 2) {
		return fmt.Errorf("origin %q: * stands for the first labels of a host of at least two more, as in https://*.example.com", origin)
	}
	if strings.ContainsAny(domain, "*") {
		return errors.New("origin " + origin + ": only one * is possible")
	}
	return http.NewCrossOriginProtection().AddTrustedOrigin(strings.Replace(origin, "*", "x", 1))
}

func (c *cors) allows(origin string) bool {
	if c.anyone || c.origins[origin] {
		return true
	}
	return slices.ContainsFunc(c.under, func(s subdomains) bool { return s.have(origin) })
}

// have reports whether origin has at least one label in the place of the asterisk.
func (s subdomains) have(origin string) bool {
	rest, ok1 := strings.CutPrefix(origin, s.scheme)
	labels, ok2 := strings.CutSuffix(rest, s.domain)
	return ok1 && ok2 && labels != "" && strings.Trim(labels, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// ServeHTTP answers preflights, and lets the pages of allowed origins read other answers, errors
// too.
func (c *cors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := httpCallFrom(r.Context())
	header, origins := headerOf(h, w), r.Header["Origin"]
	if !c.anyone || len(c.trusted) > 0 {
		header.Add("Vary", "Origin") // also without an origin: a cache must not hand that answer to a page
	}
	if len(origins) != 1 || !c.allows(origins[0]) {
		c.next.ServeHTTP(w, r)
		return
	}
	header.Set(allowOrigin, origins[0])
	switch trusted := c.trusted[origins[0]]; {
	case trusted:
		header.Set("Access-Control-Allow-Credentials", "true")
	case c.anyone:
		header.Set(allowOrigin, "*")
	}
	if h != nil {
		h.mayRead = c.trusted[origins[0]] || !ambient(r, Caller{})
	}
	if r.Method == http.MethodOptions && r.Header["Access-Control-Request-Method"] != nil && c.preflight(w, r) {
		if h != nil {
			answerUnread(h)
		}
		return
	}
	header.Set(exposeHeaders, c.answers)
	c.next.ServeHTTP(w, r)
}

// headerOf returns the header of an answer that no handler has yet. A stop can still answer in the
// place of the handler.
func headerOf(h *httpCall, w http.ResponseWriter) http.Header {
	if h == nil {
		return w.Header()
	}
	return h.writer.Header()
}

// preflight answers a browser's question about the request that a page is about to make. It
// reports false for a path that does not exist.
func (c *cors) preflight(w http.ResponseWriter, r *http.Request) bool {
	known := c.edge.allowed(r)
	if len(known) == 0 {
		return false
	}
	header := headerOf(httpCallFrom(r.Context()), w)
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	header.Set("Access-Control-Allow-Methods", strings.Join(known, ", "))
	header.Set("Access-Control-Allow-Headers", c.requests)
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}
