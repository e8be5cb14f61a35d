package inbound

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// deniedByHandler is the reason of a call that its handler has denied, and not the chassis.
const deniedByHandler = "handler"

// unauditedDelay is the time after which the caller should retry a call that could not be
// recorded.
const unauditedDelay = time.Second

// auditBegin records an admitted call before its handler runs: each call if calls that cannot be
// recorded must not run, and otherwise streams, which may run for a long time. Probes are left
// out: they are many, and must be answered.
func auditBegin(c *call) error {
	log := c.method.server.cfg.Audit
	if log == nil || c.method.Quiet || c.method == c.method.server.unknown {
		return nil
	}
	if !log.Refuses() && c.method.Unary() || !log.Wants(c.wouldDeny() != "") {
		return nil
	}
	r := recordOf(c, audit.Begin)
	r.Decision = audit.Allow
	if !log.Refuses() {
		log.Write(&r)
		return nil
	}
	if err := log.Commit(c, &r); err != nil {
		c.refuse(ReasonUnaudited, err.Error())
		return errUnaudited()
	}
	return nil
}

// errUnaudited is the answer to a call that could not be recorded.
func errUnaudited() error {
	return rpcstatus.WithRetry(status.New(codes.Unavailable, "the call cannot be recorded, and does not run: try again later"), unauditedDelay).Err()
}

// auditEnd records an ended call.
func auditEnd(c *call, out outcome, elapsed time.Duration) {
	decision, reason := verdictOf(c, out.code)
	log := c.method.server.cfg.Audit
	if denied := decision == audit.Deny; !log.Wants(denied || c.wouldDeny() != "") || c.method.Quiet && !denied {
		return
	}
	r := recordOf(c, audit.End)
	r.Time, r.Duration, r.Code, r.Decision, r.Reason = c.start.Add(elapsed), elapsed, rpcstatus.Name(out.code), decision, reason
	log.Write(&r)
}

// verdictOf returns the decision about the caller. A stream whose proof has ended is denied at
// its end.
func verdictOf(c *call, code codes.Code) (audit.Decision, string) {
	switch reason := c.reason(); {
	case turnsAway(reason) || reason == ReasonUnknownMethod:
		return audit.Deny, string(reason)
	case !c.decided:
		return audit.None, string(reason)
	case reason == "" && (code == codes.PermissionDenied || code == codes.Unauthenticated):
		return audit.Deny, deniedByHandler
	default:
		return audit.Allow, string(reason)
	}
}

func recordOf(c *call, event audit.Event) audit.Record {
	r := audit.Record{
		Event: event, Time: c.start, Protocol: c.protocol(), Method: c.method.Name, Caller: c.caller,
		Address: addressOf(c.parent), Trace: c.trace.context(), WouldDeny: c.wouldDeny(),
	}
	if c.method == c.method.server.unknown {
		r.Requested = c.requested()
	}
	if rare := c.rare.Load(); rare != nil {
		r.Explain, r.Peer = rare.explain, rare.former
	}
	return r
}

func addressOf(conn context.Context) string {
	if addr := remoteAddr(conn); addr != nil {
		return addr.String()
	}
	return ""
}
