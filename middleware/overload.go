package middleware

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// limited reports whether calls of m may be refused for overload. Probes never are: a service that is busy is alive.
func (m *Method) limited() bool {
	return m.server.cfg.Admission != nil && !m.Quiet && m != m.server.unknown
}

// waitForPlace returns when the call may run, or with the refusal. A stream has its permit while it begins and no longer:
// most of its life it waits for its caller.
func (c *call) waitForPlace() error {
	if !c.method.limited() {
		c.weigh(c.stated())
		return nil
	}
	l := c.method.server.cfg.Admission
	if !c.Arrived() {
		c.weigh(c.stated())
		c.Share = c.method.server.share(c.Parent, c.caller.ID)
		c.Reads = c.method.Unary()
		l.Arrive(&c.Ticket, time.Now())
	}
	if !l.Wait(c, &c.Ticket) {
		return c.refuseOverload()
	}
	if !c.method.Unary() {
		l.End(&c.Ticket, admission.Unknown, time.Now())
	}
	return nil
}

// holdPlace keeps the place of a call that does something else first than to read its message.
func (c *call) holdPlace() {
	if c.Reads && !c.received {
		c.method.server.cfg.Admission.Read(&c.Ticket)
	}
}

// stated is what the caller of a call that no tap has seen says that it is worth. By REST nobody is asked.
func (c *call) stated() []string {
	if c.http != nil {
		return nil
	}
	return metadata.ValueFromIncomingContext(c.Parent, criticalityKey)
}

// leavePlace gives the permit back.
func (c *call) leavePlace(code codes.Code, now time.Time) {
	if !c.Arrived() {
		return
	}
	o := admission.Useful
	if code == codes.DeadlineExceeded || code == codes.Canceled {
		o = admission.Wasted
	}
	c.method.server.cfg.Admission.End(&c.Ticket, o, now)
}

// share returns whose turn a call takes when callers take turns: that of an identity, and without one that of an address.
func (s *Server) share(ctx context.Context, id string) uint8 {
	if id != "" {
		return s.callers.Share(id)
	}
	switch addr := remoteAddr(ctx).(type) {
	case nil:
		return 0
	case *net.TCPAddr:
		ip := addr.IP
		if ip.To4() == nil && len(ip) == net.IPv6len {
			ip = ip[:8] // a single customer gets no less than a network of 64 bits
		}
		return s.callers.Share(string(ip))
	default:
		return s.callers.Share(addr.String())
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

// refuseOverload is the answer to a call that got no permit.
func (c *call) refuseOverload() error {
	if err := c.Err(); err != nil {
		c.refuse(ReasonDeadline, "")
		return status.FromContextError(err).Err()
	}
	c.refuse(ReasonOverload, "")
	all := c.method.server.overload
	return all[rand.IntN(len(all))].Err()
}
