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

// limited reports whether calls of m may be refused for overload. Probes never are: a service that is busy is alive.
func limited(m *Method) bool {
	return m.server.cfg.Admission != nil && !m.Quiet && m != m.server.unknown
}

// waitForPlace returns when the call may run, or with the refusal.
func waitForPlace(c *call) error {
	weigh(c)
	if !limited(c.method) {
		return nil
	}
	c.place.Share, c.place.TimesOut = shareOf(c.parent, c.method, c.caller.ID), c.deadline.after > 0
	switch c.method.server.cfg.Admission.Enter(inLine{c}, &c.place, c.start) {
	case admission.Refused:
		return refuseOverload(c)
	case admission.Reported:
		c.alter(func(rare *rareCall) { rare.explain, rare.audited = string(ReasonOverload), true })
		c.method.server.obs.audited.WithLabelValues(c.method.Name, string(ReasonOverload)).Inc()
	case admission.Runs:
	}
	return nil
}

// inLine is the context of a call that waits in the line, which has timers of its own: the call needs none for its
// deadline yet.
type inLine struct{ *call }

func (w inLine) Done() <-chan struct{} { return w.parent.Done() }

// leavePlace gives the place back.
func leavePlace(c *call, now time.Time) {
	if !limited(c.method) {
		return
	}
	c.method.server.cfg.Admission.Leave(&c.place, now)
}

// shareOf returns whose turn a call takes when callers and methods take turns. A caller is an identity, and without one
// an address.
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

// What a refused caller is told to wait: some time, so that those who were refused together do not come back together.
const (
	leastDelay = 50 * time.Millisecond
	mostDelay  = 250 * time.Millisecond
	delays     = 16
)

// shortage is something that is short: the processors, or a resource that the service has declared. What it is, callers
// of the own trust domain are told, and operators in the log. The answers are made once: there are many refused calls
// when there is the least time for them.
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

// status is the answer to a call that is refused. Outside is whoever is not of the own trust domain.
func (s *shortage) status(outside bool) *status.Status {
	if outside {
		return s.outside[rand.IntN(delays)]
	}
	return s.own[rand.IntN(delays)]
}

// refuseOverload is the answer to a call that may not run. One whose time ran out while it waited is told so, and
// counts as refused for overload all the same.
func refuseOverload(c *call) error {
	short := c.method.server.processors
	c.refuse(ReasonOverload, short.explain)
	if err := c.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return short.status(c.outside()).Err()
}
