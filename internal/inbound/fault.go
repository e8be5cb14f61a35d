package inbound

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/fault"
)

// Injected faults replace the handler: the call is authorized, admitted, measured, traced and
// logged like any other. A method without a rule only reads one pointer.

var _ fault.Target = (*Server)(nil)

// matches reports whether r applies to calls of m.
func matches(m *Method, r *fault.Rule) bool { return !m.Quiet && r.MatchMethod(m.Method) }

// withFaults returns handler with the method's faults before it.
func withFaults(m *Method, handler func(*call) error) func(*call) error {
	return func(c *call) error {
		if rules := m.faults.Load(); rules != nil {
			return fail(c, *rules, handler)
		}
		return handler(c)
	}
}

// fail runs handler with the faults of the rules.
func fail(c *call, rules []*fault.Rule, handler func(*call) error) error {
	r := ruleFor(c, rules)
	if r == nil {
		return handler(c)
	}
	if err := holdUp(c, r); err != nil {
		return err
	}
	switch {
	case !r.Ends():
		return handler(c)
	case r.After > 0:
		return failPartly(c, r, handler)
	}
	c.alter(func(rare *rareCall) { rare.refused = ReasonFault })
	c.note(r.String())
	breakOff(c, r)
	return inject(c, r, r.Kind())
}

// ruleFor returns the rule that applies to the call, nil for none.
func ruleFor(c *call, rules []*fault.Rule) *fault.Rule {
	for _, r := range rules {
		if r.MatchPeer(c.caller, c.method.server.trustDomain) && (r.Ratio >= 1 || rand.Float64() < r.Ratio) {
			return r
		}
	}
	return nil
}

// holdUp delays the call, until its deadline at most.
func holdUp(c *call, r *fault.Rule) error {
	if r.Delay <= 0 {
		return nil
	}
	countFault(c, r, "delay")
	c.note(r.String())
	timer := time.NewTimer(r.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.Done():
		return status.FromContextError(c.Err()).Err()
	}
}

// inject ends the call, and returns its error. It may run in any goroutine of the handler.
func inject(c *call, r *fault.Rule, kind string) error {
	countFault(c, r, kind)
	if r.Reset {
		cutConnection(c)
		return errReset
	}
	return status.Error(r.Code, r.Message)
}

// errReset is the counted error of a call that was reset. Its caller does not receive it.
var errReset = status.Error(codes.Unavailable, "connection broken by an injected fault")

// countFault counts a fault and records it in the span.
func countFault(c *call, r *fault.Rule, kind string) {
	c.method.server.obs.faults.WithLabelValues(c.method.Name, kind).Inc()
	if c.trace.recorded != nil {
		c.trace.recorded.AddEvent("fault injected", trace.WithAttributes(
			attribute.String("chassis.fault", kind), attribute.String("chassis.fault.rule", r.String())))
	}
}

// breakOff makes net/http break the connection of a REST call that was reset, in the goroutine of
// the request. Call it in the goroutine of the call.
func breakOff(c *call, r *fault.Rule) {
	if r.Reset && c.http != nil {
		c.http.broken = true
	}
}

// cutConnection breaks the connection of a gRPC call with all its calls, because a gRPC server
// cannot reset a single stream. It does nothing if the credentials cannot cut it.
func cutConnection(c *call) {
	if c.http != nil {
		return
	}
	p, ok := peer.FromContext(c.parent)
	if !ok {
		return
	}
	if connection, ok := p.AuthInfo.(interface{ Cut() }); ok {
		connection.Cut()
	}
}

// cutIfBroken ends a request whose call was reset. Call it in the request's goroutine after the
// end of the call.
func cutIfBroken(h *httpCall) {
	if h == nil || !h.broken {
		return
	}
	h.mu.Lock()
	if h.status == 0 {
		h.status = http.StatusInternalServerError // for log and metrics; it is never sent
	}
	h.mu.Unlock()
	panic(http.ErrAbortHandler)
}

func checkFault(s *Server, r *fault.Rule) error {
	for _, m := range s.Methods() {
		if matches(m, r) {
			return nil
		}
	}
	if r.After > 0 {
		return fmt.Errorf("method: %q names no registered stream, which it must because of after", r.Method())
	}
	return fmt.Errorf("method: %q names no registered method that faults can be injected into", r.Method())
}

func setFaults(s *Server, rules []*fault.Rule) {
	for _, m := range s.Methods() {
		var its []*fault.Rule
		for _, r := range rules {
			if matches(m, r) {
				its = append(its, r)
			}
		}
		if its == nil {
			m.faults.Store(nil)
			continue
		}
		m.faults.Store(&its)
	}
}
