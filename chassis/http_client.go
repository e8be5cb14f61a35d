package chassis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The limits of connections to third parties.
const (
	thirdPartyDial      = 3 * time.Second  // also for a proxy
	thirdPartyHandshake = 5 * time.Second  // of TLS
	thirdPartyContinue  = time.Second      // until a body is sent whose server was asked first
	thirdPartyIdle      = 50 * time.Second // many balancers drop idle connections after a minute
	thirdPartyPing      = 15 * time.Second // silence on an HTTP/2 connection until it is tested
	thirdPartyPong      = 5 * time.Second
	thirdPartyConns     = 100      // at once, to one host
	thirdPartyIdleConns = 20       // kept for one host, and five times that for all
	thirdPartyHeader    = 64 << 10 // bytes of an answer
	thirdPartyRedirects = 5
)

// thirdParties makes and keeps the clients of [App.HTTPClient]. Its methods may be called
// concurrently.
type thirdParties struct {
	timeout time.Duration
	client  *clientSide

	mu      sync.Mutex
	clients map[string]*http.Client // by name
}

// clientFor returns the client of a third party, and makes it at the first call. If it returns an
// error, each request of the client fails.
func (p *thirdParties) clientFor(name string) (*http.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.clients[name]; known != nil {
		return known, nil
	}
	transport, err := p.transport(name)
	if err != nil {
		return &http.Client{Transport: refusal{err}}, err
	}
	if p.clients == nil {
		p.clients = map[string]*http.Client{}
	}
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	p.clients[name] = client
	return client, nil
}

func (p *thirdParties) transport(name string) (http.RoundTripper, error) {
	if !serviceName.MatchString(name) {
		return nil, errors.New("the name must begin with a letter and have at most 63 lower-case letters, digits and dashes, because it is a label of metrics")
	}
	pass, err := p.client.pass()
	if err != nil {
		return nil, err
	}
	return pass.RoundTripper(name, newTransport(p.timeout), p.timeout)
}

// close closes idle connections. Calls and workers, and so all requests, must have ended.
func (p *thirdParties) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		client.CloseIdleConnections()
	}
}

// newTransport returns a transport with limits for time and size. Header bounds the wait for an
// answer's header, even if the caller has more time.
func newTransport(header time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: thirdPartyDial}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    thirdPartyHandshake,
		ExpectContinueTimeout:  thirdPartyContinue,
		ResponseHeaderTimeout:  header,
		MaxResponseHeaderBytes: thirdPartyHeader,
		MaxConnsPerHost:        thirdPartyConns,
		MaxIdleConnsPerHost:    thirdPartyIdleConns,
		MaxIdleConns:           5 * thirdPartyIdleConns,
		IdleConnTimeout:        thirdPartyIdle,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: thirdPartyPing, PingTimeout: thirdPartyPong},
	}
}

// checkRedirect follows up to 5 redirects, and none from https to http. Another host gets no
// body, and only the headers of sentElsewhere, because any other header may hold a credential.
// Where it would need the body, the client returns the redirecting answer, as net/http does for a
// body that cannot be sent twice; its Location shows where the caller may send the body. A
// redirect back from another host is treated in the same way, because that host has chosen it.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > thirdPartyRedirects {
		return fmt.Errorf("chassis: more than %d redirects", thirdPartyRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return fmt.Errorf("chassis: the server redirects from https to %s, and such a redirect is not followed", next.URL.Scheme)
	}
	if next.URL.Host != via[len(via)-1].URL.Host {
		next.Header.Del("Referer") // which is the last URL with its query
	}
	elsewhere := func(r *http.Request) bool { return !within(r.URL.Hostname(), via[0].URL.Hostname()) }
	if !elsewhere(next) && !slices.ContainsFunc(via, elsewhere) {
		return nil
	}
	maps.DeleteFunc(next.Header, func(name string, _ []string) bool { return !slices.Contains(sentElsewhere, name) })
	if next.Body != nil && next.Body != http.NoBody {
		_ = next.Body.Close() // an unused copy
		return http.ErrUseLastResponse
	}
	return nil
}

// sentElsewhere are the headers that a redirect sends to another host. They request a range, a
// language or a newer version, for example of a file behind a presigned URL.
var sentElsewhere = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Range", "If-Unmodified-Since", "Pragma", "Range", "User-Agent",
}

// within reports whether host is the other one or a subdomain of it. http.Client sends
// credentials to the same hosts, but knows only the standard headers and not those of API keys.
func within(host, other string) bool {
	return strings.EqualFold(host, other) ||
		net.ParseIP(host) == nil && strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(other))
}

// refusal is the transport of a client with an invalid name. The start reports the same error.
type refusal struct{ err error }

func (r refusal) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
	return nil, r.err
}
