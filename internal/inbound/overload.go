package inbound

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/ratelimit"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// limited reports whether calls of m may be refused for overload. Probes never are: a busy
// service is alive.
func limited(m *Method) bool {
	return m.server.cfg.Admission != nil && !m.Quiet && m != m.server.unknown
}

// waitForPlace returns when the call may run, or returns its refusal.
func waitForPlace(c *call) error {
	weigh(c)
	if !limited(c.method) {
		return nil
	}
	c.place.Share, c.place.TimesOut = shareOf(c.parent, c.method, c.caller.ID), c.deadline.after > 0
	verdict := c.method.server.cfg.Admission.Enter(inLine{c}, &c.place, c.start)
	if waited := c.place.Waited; waited > 0 {
		spend(c, heldBack, waited)
	}
	switch verdict {
	case admission.Refused:
		return refuseOverload(c)
	case admission.Reported:
		c.alter(func(rare *rareCall) { rare.explain, rare.audited = string(ReasonOverload), true })
		c.method.server.obs.audited.WithLabelValues(c.method.Name, string(ReasonOverload)).Inc()
	case admission.Runs:
	}
	return nil
}

// inLine is the context of a call that waits in the line. The line has its own timers, so the
// call needs none for its deadline yet.
type inLine struct{ *call }

func (w inLine) Done() <-chan struct{} { return w.parent.Done() }

// leavePlace frees the place.
func leavePlace(c *call, now time.Time) {
	if !limited(c.method) {
		return
	}
	c.method.server.cfg.Admission.Leave(&c.place, now)
}

// shareOf returns the share of a call when callers and methods take turns. A caller is an
// identity, or an address if it has none.
func shareOf(ctx context.Context, m *Method, id string) uint8 {
	shares := m.server.shares
	if id != "" {
		return shares.Of(id, m.index)
	}
	switch addr := remoteAddr(ctx).(type) {
	case nil:
		return shares.Of("", m.index)
	case *net.TCPAddr:
		ip := ratelimit.Network(addr.AddrPort().Addr()).As16()
		return shares.Of(string(ip[:]), m.index)
	default:
		return shares.Of(addr.String(), m.index)
	}
}

// The delay that a refused caller is asked to wait. It varies, so that callers that were refused
// together do not return together.
const (
	leastDelay = 50 * time.Millisecond
	mostDelay  = 250 * time.Millisecond
	delays     = 16
)

// shortage is a scarce thing: the processors, or a declared resource. Its name is for callers of
// the own trust domain and for the log. The answers are made once, because refusals are most
// frequent when there is least time for them.
type shortage struct {
	explain string           // for operators
	outside []*status.Status // of which one is taken at random
	own     []*status.Status
}

func newShortage(what, explain string) *shortage {
	return &shortage{explain, overloadStatuses("the service has"), overloadStatuses(what)}
}

func overloadStatuses(what string) []*status.Status {
	all := make([]*status.Status, delays)
	for i := range all {
		delay := leastDelay + (mostDelay-leastDelay)*time.Duration(i)/(delays-1)
		all[i] = rpcstatus.WithRetry(status.New(codes.Unavailable, what+" more to do than can be done: try again later"), delay)
	}
	return all
}

// status is the answer to a refused call. Outside reports that the caller is not of the own trust
// domain.
func (s *shortage) status(outside bool) *status.Status {
	if outside {
		return s.outside[rand.IntN(delays)]
	}
	return s.own[rand.IntN(delays)]
}

// refuseOverload is the answer to a call that may not run. If its deadline passed while it
// waited, the answer says so, and it still counts as refused for overload.
func refuseOverload(c *call) error {
	short := c.method.server.processors
	c.refuse(ReasonOverload, short.explain)
	if err := c.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return short.status(c.outside()).Err()
}
