package chassistest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/internal/contract"
)

// anyMethod is a method that every service has.
const anyMethod = "/grpc.health.v1.Health/Check"

func plaintext(t testing.TB, c *conformer) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	// With TLS the port must answer. Otherwise a refusal without TLS would prove nothing.
	if err := c.svc.Conn().Invoke(ctx, anyMethod, new(emptypb.Empty), new(emptypb.Empty)); status.Code(err) == codes.Unavailable {
		t.Errorf("a call with TLS: got %v, want an answer", err)
	}
	conn := c.svc.ConnWith(grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err := conn.Invoke(ctx, anyMethod, new(emptypb.Empty), new(emptypb.Empty)); status.Code(err) != codes.Unavailable {
		t.Errorf("a call without TLS: got %v, want no connection", err)
	}
}

func oldTLS(t testing.TB, c *conformer) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	for port, asked := range map[string]bool{"grpc": true, "http": c.svc.env["CHASSIS_HTTP_TLS"] == "true", "admin": c.svc.env["CHASSIS_ADMIN_TLS"] == "true"} {
		if !asked {
			continue
		}
		if !c.svc.network.open(port) {
			t.Logf("there is no %s port", port)
			continue
		}
		if err := handshake(ctx, c, port, tls.VersionTLS13); err != nil { // else a refusal would prove nothing
			t.Errorf("the %s port does not take TLS 1.3: %v", port, err)
		}
		if err := handshake(ctx, c, port, tls.VersionTLS12); err == nil {
			t.Errorf("the %s port takes TLS 1.2", port)
		}
	}
}

// handshake makes a TLS handshake of one version and closes the connection.
func handshake(ctx context.Context, c *conformer, port string, version uint16) error {
	raw, err := c.svc.network.dial(ctx, port)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	config := c.svc.TLS()
	config.MinVersion, config.MaxVersion = version, version
	return tls.Client(raw, config).HandshakeContext(ctx)
}

// inventions is the number of invented names of each kind. The first few may each add a series
// for new names.
const (
	firstInventions = 3
	inventions      = 100
)

// series counts the series before and after callers have invented names of all kinds that they
// can choose.
func series(t testing.TB, c *conformer) {
	t.Helper()
	conn, client := c.svc.ConnAs("conformance"), c.svc.HTTPAs("conformance")
	rest := c.svc.network.open("http")
	invent := func(i int) {
		name := fmt.Sprintf("Invented%d", i)
		ctx, cancel := bounded(t)
		defer cancel()
		err := conn.Invoke(ctx, "/invented."+name+"/"+name, new(emptypb.Empty), new(emptypb.Empty))
		if code := status.Code(err); code != codes.Unimplemented && code != codes.PermissionDenied {
			t.Errorf("an invented method: got %v, want UNIMPLEMENTED", err)
		}
		if !rest {
			return
		}
		header := http.Header{"User-Agent": {name}, "Traceparent": {name}, "X-" + name: {name}, "Accept": {name}}
		for _, method := range []string{http.MethodGet, strings.ToUpper(name)} {
			if _, err := request(t, client, method, c.restScheme()+"://rest/"+name+"?"+name+"="+name, header); err != nil {
				t.Errorf("%s /%s: %v", method, name, err)
			}
		}
	}
	for i := range firstInventions {
		invent(i)
	}
	c.settle(t)
	before := c.svc.seen.series(t)
	for i := range inventions {
		invent(firstInventions + i)
	}
	c.settle(t)
	for name, n := range c.svc.seen.series(t) {
		if n > before[name] {
			t.Errorf("%s went from %d series to %d when callers invented %d names: a label must not hold what callers choose",
				name, before[name], n, inventions)
		}
	}
}

// request returns the status of an HTTP request and ignores its body.
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

// series returns the number of series of each metric.
func (s *seen) series(t testing.TB) map[string]int {
	t.Helper()
	s.mu.Lock()
	metrics := s.metrics
	s.mu.Unlock()
	families, err := metrics.Gather()
	if err != nil {
		t.Errorf("the metrics cannot be collected: %v", err)
	}
	counted := map[string]int{}
	for _, family := range families {
		counted[family.GetName()] = len(family.GetMetric())
	}
	return counted
}

// drain stops the service while a call of each method runs, and ends the calls only after every
// caller was notified.
func drain(t testing.TB, c *conformer) {
	t.Helper()
	ended, held := make(chan error, len(c.methods)), 0
	for _, m := range c.methods {
		as, ok := callerFor(m)
		if !ok {
			continue
		}
		conn := c.svc.ConnAs(as)
		go func() { ended <- hold(t, conn, m) }()
		select {
		case <-c.probe.blocked:
			held++
		case err := <-ended:
			t.Errorf("before the stop: %v", err)
		}
	}
	c.svc.RequestStop()
	c.svc.reached(chassis.StreamsTold)
	close(c.probe.release)
	for range held {
		if err := <-ended; err != nil {
			t.Errorf("a call that ran when the service was asked to stop: %v", err)
		}
	}
	if err := c.svc.Wait(); err != nil {
		t.Errorf("the stop: %v", err)
	}
}

func hold(t testing.TB, conn *grpc.ClientConn, m *contract.Method) error {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	err := call(ctx, conn, m, probeBlock, newMessage(requestOf(m)))
	if code := status.Code(err); code == codes.Aborted || code == codes.DeadlineExceeded && m.Timeout > 0 {
		return nil // its own deadline may come before a stop on a slow machine
	}
	return fmt.Errorf("%s was lost: %w", m.Name, err)
}

func nothingLeft(t testing.TB, c *conformer) {
	t.Helper()
	c.svc.RequestStop()
	_ = c.svc.Wait() // drain has reported it
	c.svc.network.closeClients()
	c.svc.leaks(t)
}
