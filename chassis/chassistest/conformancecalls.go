package chassistest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/openapi"
)

// callers tries each method as nobody, as strangers and as everybody whom any method names.
func (c *conformer) callers(t testing.TB) {
	t.Helper()
	everybody := map[string]bool{"conformance": true, "spiffe://stranger.example/conformance": true, "spiffe://" + TrustDomain: true}
	for _, m := range c.methods {
		for _, p := range m.Callers {
			everybody[exampleOf(p)] = true
		}
	}
	everybody[""] = true
	for as := range everybody {
		conn, caller := c.nobody(), contract.Caller{}
		if as != "" {
			conn, caller = c.svc.Conn(as), contract.Caller{ID: fullID(as)}
		}
		for _, m := range c.methods {
			c.try(t, conn, m, caller)
		}
	}
}

func (c *conformer) try(t testing.TB, conn *grpc.ClientConn, m *contract.Method, caller contract.Caller) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	want := codes.Aborted
	switch {
	case m.Authorize(caller, TrustDomain):
	case caller.Anonymous():
		want = codes.Unauthenticated
	default:
		want = codes.PermissionDenied
	}
	if err := call(ctx, conn, m, probeReach, newMessage(requestOf(m))); status.Code(err) != want {
		t.Errorf("%s, called by %q: got %v, want %s: it is open to %s", m.Name, caller.ID, err, want, m.Describe())
	}
}

// nobody returns a connection of a caller whose certificate is good and has no SPIFFE ID.
func (c *conformer) nobody() *grpc.ClientConn {
	id := c.opts.CA.Identity("nobody", func(cert *x509.Certificate) { cert.URIs = nil })
	config := c.svc.TLS()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Certificate, nil }
	return c.svc.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

var pathParameter = regexp.MustCompile(`\{[^}]*\}|\*+`)

// nobodyByREST asks for each route of methods that are not public, as a browser without any certificate does.
func (c *conformer) nobodyByREST(t testing.TB) {
	t.Helper()
	client := c.svc.HTTPWith(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // who the server is does not matter here
	scheme := "http"
	if c.svc.env["CHASSIS_HTTP_TLS"] == "true" {
		scheme = "https"
	}
	for _, m := range c.methods {
		before := c.probe.count(m)
		for _, route := range routesOf(m) {
			path := pathParameter.ReplaceAllString(route.Pattern, "1")
			code, err := request(t, client, route.HTTPMethod, scheme+"://rest"+path, http.Header{"Grpc-Metadata-" + probeKey: {probeReach}})
			if err != nil {
				return // it has no REST port
			}
			if reached := c.probe.count(m) > before; reached && !m.Public {
				t.Errorf("%s %s: nobody got in to %s, with status %d: it is open to %s", route.HTTPMethod, path, m.Name, code, m.Describe())
			}
		}
	}
}

func routesOf(m *contract.Method) []openapi.Route {
	d := methodNamed(m.FullMethod)
	if d == nil {
		return nil
	}
	service, _ := d.Parent().(protoreflect.ServiceDescriptor)
	all, err := openapi.Routes(service)
	if err != nil {
		return nil // the start has told
	}
	var own []openapi.Route
	for _, r := range all {
		if r.FullMethod == m.FullMethod {
			own = append(own, r)
		}
	}
	return own
}

// request returns the status of an HTTP request, whose answer is not read.
func request(t testing.TB, client *http.Client, method, url string, header http.Header) (int, error) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	r.Header = header
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// deadlines looks at the time that handlers are given: with a caller who waits for ever, and with one in a hurry.
func (c *conformer) deadlines(t testing.TB) {
	t.Helper()
	for _, m := range c.methods {
		as, ok := callerFor(m)
		if !ok {
			continue
		}
		conn := c.svc.Conn(as)
		if err := call(t.Context(), conn, m, probeReach, newMessage(requestOf(m))); status.Code(err) != codes.Aborted {
			t.Errorf("%s: got %v, want it to reach the service", m.Name, err)
			continue
		}
		switch left := c.probe.left(m); {
		case m.Unary() && left == 0:
			t.Errorf("%s has no deadline: declare a timeout, or leave CHASSIS_CALL_TIMEOUT above zero", m.Name)
		case m.Timeout > 0 && (left == 0 || left > m.Timeout):
			t.Errorf("%s has %s left at its beginning, want %s at most", m.Name, left, m.Timeout)
		}
		hurry := callTimeout
		if m.Timeout > 0 {
			hurry = min(hurry, m.Timeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), hurry)
		_ = call(ctx, conn, m, probeReach, newMessage(requestOf(m)))
		cancel()
		if left := c.probe.left(m); left == 0 || left > hurry {
			t.Errorf("%s has %s left where its caller has %s", m.Name, left, hurry)
		}
	}
}

var internalError = regexp.MustCompile(`internal error, id [0-9a-f]{16}`)

// panics has the place of each handler panic, and calls again.
func (c *conformer) panics(t testing.TB) {
	t.Helper()
	for _, m := range c.methods {
		as, ok := callerFor(m)
		if !ok {
			continue
		}
		c.panicIn(t, m, c.svc.Conn(as))
	}
}

func (c *conformer) panicIn(t testing.TB, m *contract.Method, conn *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	before := c.svc.Metric("chassis_panics_total", "where", "rpc")
	err := call(ctx, conn, m, probePanic, newMessage(requestOf(m)))
	if status.Code(err) != codes.Internal || !internalError.MatchString(err.Error()) {
		t.Errorf("%s panicked, and its caller got %v, want INTERNAL with an id", m.Name, err)
	}
	if after := c.svc.Metric("chassis_panics_total", "where", "rpc"); after != before+1 {
		t.Errorf("%s panicked, and chassis_panics_total went from %v to %v", m.Name, before, after)
	}
	if err := call(ctx, conn, m, probeReach, newMessage(requestOf(m))); status.Code(err) != codes.Aborted {
		t.Errorf("%s after a panic: got %v, want it to reach the service", m.Name, err)
	}
}

// settle waits until no call runs: their lines and spans are there then.
func (c *conformer) settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); c.svc.Metric("chassis_rpc_in_flight") > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("calls still run %s after their callers have gone: %s", callTimeout, strings.Join(c.inFlight(), ", "))
			return
		}
	}
}

func (c *conformer) inFlight() (running []string) {
	for _, m := range c.methods {
		if n := c.svc.Metric("chassis_rpc_in_flight", "rpc_method", m.Name); n > 0 {
			running = append(running, fmt.Sprintf("%s (%v)", m.Name, n))
		}
	}
	return running
}
