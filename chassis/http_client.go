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

// What holds for connections to every third party.
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

// thirdParties are the clients for requests out of the mesh. Its methods may be called concurrently.
type thirdParties struct {
	timeout time.Duration
	client  *clientSide

	mu      sync.Mutex
	clients map[string]*http.Client // by name
}

// clientFor returns the client of a third party, and makes it where there is none. The client that
// comes with an error refuses its requests.
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

// close ends the idle connections. Calls and workers have ended, and with them the requests.
func (p *thirdParties) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		client.CloseIdleConnections()
	}
}

// newTransport returns a transport in which nothing takes or holds more than it may. Its header bounds the wait for an
// answer's header even where a caller has more time.
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

// checkRedirect follows few redirects, and none that gives up TLS. Another host gets no body and of the header what
// says which form of the answer is wanted: any other name may be that of a credential. Where it should get a body,
// the answer that redirects is the client's answer, as it is in net/http where a body cannot be sent twice; its
// Location says where the caller may send the body itself. A redirect that leads back from another host is that
// host's wish, and no better.
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
		_ = next.Body.Close() // it is a copy that nobody has read
		return http.ErrUseLastResponse
	}
	return nil
}

// sentElsewhere are the headers that a redirect takes to another host: those by which a part, a language or a newer
// version is asked for, as of a file behind a presigned URL.
var sentElsewhere = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Range", "If-Unmodified-Since", "Pragma", "Range", "User-Agent",
}

// within reports whether host is the other one or below it, which is where http.Client itself sends credentials that it
// knows. It knows those of the standards: an API key is none.
func within(host, other string) bool {
	return strings.EqualFold(host, other) ||
		net.ParseIP(host) == nil && strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(other))
}

// refusal is the transport of a client that could not be made. The start reports the same error.
type refusal struct{ err error }

func (r refusal) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
	return nil, r.err
}
