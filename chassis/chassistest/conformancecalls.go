package chassistest

import (
	"context"
	"regexp"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
)

// callers calls each method without an identity, with foreign identities, and with every identity
// that any method lists.
func callers(t testing.TB, c *conformer) {
	t.Helper()
	everybody := map[string]bool{"conformance": true, "spiffe://stranger.example/conformance": true}
	for _, m := range c.methods {
		for _, p := range m.Callers {
			everybody[exampleOf(p)] = true
		}
	}
	everybody[""] = true
	for as := range everybody {
		conn, caller := c.nobody(), contract.Caller{}
		if as != "" {
			conn, caller = c.svc.ConnAs(as), contract.Caller{ID: fullID(as)}
		}
		for _, m := range c.methods {
			try(t, conn, m, caller)
		}
	}
}

func try(t testing.TB, conn *grpc.ClientConn, m *contract.Method, caller contract.Caller) {
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

// deadlines checks the deadlines of handlers, for a caller without a deadline and one with an
// early deadline.
func deadlines(t testing.TB, c *conformer) {
	t.Helper()
	for _, m := range c.methods {
		as, ok := callerFor(m)
		if !ok {
			continue
		}
		conn := c.svc.ConnAs(as)
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
		hurry(t, c, m, conn)
	}
}

// hurry calls m with a deadline before the declared one.
func hurry(t testing.TB, c *conformer, m *contract.Method, conn *grpc.ClientConn) {
	t.Helper()
	hurry := callTimeout
	if m.Timeout > 0 {
		hurry = min(hurry, m.Timeout/2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hurry)
	defer cancel()
	before := c.probe.count(m)
	err := call(ctx, conn, m, probeReach, newMessage(requestOf(m)))
	left, reached := c.probe.left(m), c.probe.count(m) > before
	switch {
	case reached && (left == 0 || left > hurry):
		t.Errorf("%s has %s left where its caller has %s", m.Name, left, hurry)
	case reached:
	case ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded:
		t.Errorf("cannot tell whether %s keeps the deadline of its caller: the call had %s and did not reach the service: "+
			"run the test on a machine with less to do, or declare a longer timeout", m.Name, hurry)
	default:
		t.Errorf("%s, called with %s: got %v, want it to reach the service", m.Name, hurry, err)
	}
}

var internalError = regexp.MustCompile(`^internal error, id [0-9a-f]{16}$`)

// panics makes each handler panic in its probe, and then calls again.
func panics(t testing.TB, c *conformer) {
	t.Helper()
	for _, m := range c.methods {
		as, ok := callerFor(m)
		if !ok {
			continue
		}
		panicIn(t, c, m, c.svc.ConnAs(as))
	}
}

func panicIn(t testing.TB, c *conformer, m *contract.Method, conn *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	before := c.svc.Metric("chassis_panics_total", "where", "rpc")
	err := call(ctx, conn, m, probePanic, newMessage(requestOf(m)))
	if status.Code(err) != codes.Internal || !internalError.MatchString(status.Convert(err).Message()) {
		t.Errorf("%s panicked, and its caller got %v, want INTERNAL with an id and nothing else", m.Name, err)
	}
	if after := c.svc.Metric("chassis_panics_total", "where", "rpc"); after != before+1 {
		t.Errorf("%s panicked, and chassis_panics_total went from %v to %v", m.Name, before, after)
	}
	if err := call(ctx, conn, m, probeReach, newMessage(requestOf(m))); status.Code(err) != codes.Aborted {
		t.Errorf("%s after a panic: got %v, want it to reach the service", m.Name, err)
	}
}
