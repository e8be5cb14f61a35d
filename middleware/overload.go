package middleware

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
func (m *Method) limited() bool {
	return m.server.cfg.Admission != nil && !m.Quiet && m != m.server.unknown
}

// waitForPlace returns when the call may run, or with the refusal.
func (c *call) waitForPlace() error {
	c.weigh()
	if !c.method.limited() {
		return nil
	}
	c.Share, c.TimesOut = c.method.share(c.Parent, c.caller.ID), c.deadline.after > 0
	switch c.method.server.cfg.Admission.Enter(inLine{c}, &c.Ticket, c.start) {
	case admission.Refused:
		return c.refuseOverload()
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

func (w inLine) Done() <-chan struct{} { return w.Parent.Done() }

// leavePlace gives the place back.
func (c *call) leavePlace(now time.Time) {
	if !c.method.limited() {
		return
	}
	c.method.server.cfg.Admission.Leave(&c.Ticket, now)
}

// share returns whose turn a call takes when callers and methods take turns. A caller is an identity, and without one
// an address.
func (m *Method) share(ctx context.Context, id string) uint8 {
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

// overloadStatuses are the answers to refused calls, made once: there are many when there is the least time for them.
func overloadStatuses() []*status.Status {
	all := make([]*status.Status, delays)
	for i := range all {
		delay := leastDelay + (mostDelay-leastDelay)*time.Duration(i)/(delays-1)
		all[i] = rpcstatus.WithRetry(status.New(codes.Unavailable, "the service has more to do than it can: try again later"), delay)
	}
	return all
}

// refuseOverload is the answer to a call that may not run. One whose time ran out while it waited is told so, and
// counts as refused for overload all the same.
func (c *call) refuseOverload() error {
	c.refuse(ReasonOverload, "")
	if err := c.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return c.method.server.overloadStatus().Err()
}

func (s *Server) overloadStatus() *status.Status { return s.overload[rand.IntN(len(s.overload))] }
