package inbound

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// deniedByHandler is the reason of a call that its handler has denied, which is none of the chassis's.
const deniedByHandler = "handler"

// unauditedDelay is how long a caller is told to wait whose call could not be recorded.
const unauditedDelay = time.Second

// auditBegin records a call that is let in before its handler runs: each call where one that cannot be recorded must
// not run, and streams, which may have no end for a long time. Probes are left out: they are many, and must be answered.
func (c *call) auditBegin() error {
	log := c.method.server.cfg.Audit
	if log == nil || c.method.Quiet || c.method == c.method.server.unknown {
		return nil
	}
	if !log.Refuses() && c.method.Unary() || !log.Wants(c.wouldDeny() != "") {
		return nil
	}
	r := c.auditRecord(audit.Begin)
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

// auditEnd records a call that is over.
func (c *call) auditEnd(out outcome, elapsed time.Duration) {
	decision, reason := c.verdict(out.code)
	log := c.method.server.cfg.Audit
	if denied := decision == audit.Deny; !log.Wants(denied || c.wouldDeny() != "") || c.method.Quiet && !denied {
		return
	}
	r := c.auditRecord(audit.End)
	r.Time, r.Duration, r.Code, r.Decision, r.Reason = c.start.Add(elapsed), elapsed, rpcstatus.Name(out.code), decision, reason
	log.Write(&r)
}

// wouldDeny is the reason for which a caller would be denied that the audit mode of authorization has let in.
func (c *call) wouldDeny() string {
	if rare := c.rare.Load(); rare != nil {
		return string(rare.wouldDeny)
	}
	return ""
}

// verdict is what was decided about the caller. A stream whose proof has ended is denied at its end.
func (c *call) verdict(code codes.Code) (audit.Decision, string) {
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

func (c *call) auditRecord(event audit.Event) audit.Record {
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

// auditBegin is that of a call for the request of a route. It reports whether its handler may run; else it has answered.
func (h *httpCall) auditBegin(w http.ResponseWriter, r *http.Request, route *Method) bool {
	log := h.server.cfg.Audit
	if !log.Refuses() || !log.Wants(h.ahead.audited != "") {
		return true
	}
	record := h.auditRecord(audit.Begin, r)
	record.Decision = audit.Allow
	err := log.Commit(h, &record)
	if err == nil {
		return true
	}
	h.reason, h.explain = ReasonUnaudited, err.Error()
	h.server.obs.rejected.WithLabelValues(route.Name, string(ReasonUnaudited)).Inc()
	h.answerUnread()
	writeError(w, r, errUnaudited(), routeStatus)
	return false
}

// auditStream records that the request of a route has become a stream, which may have no end for days: once, and where
// the request was not recorded before its handler ran. The lock of h is held.
func (h *httpCall) auditStream() {
	log, route := h.server.cfg.Audit, h.ahead.method
	if h.recorded || log.Refuses() || route == nil || route.handler != nil || h.reason != "" || !log.Wants(h.ahead.audited != "") {
		return
	}
	h.recorded = true
	record := h.auditRecord(audit.Begin, h.request)
	record.Decision = audit.Allow
	log.Write(&record)
}

// auditEnd records a request that made no call: one of a route, one whose call was never made, and one that is for
// nothing there is. The chassis's own pages have no callers to decide about.
func (h *httpCall) auditEnd(r *http.Request, route string, code int, elapsed time.Duration) {
	if h.ahead.method == nil && h.reason == "" && route != "" {
		return
	}
	record := h.auditRecord(audit.End, r)
	record.Time, record.Duration, record.Status = h.start.Add(elapsed), elapsed, code
	record.Decision, record.Reason = h.verdict(code)
	if log := h.server.cfg.Audit; log.Wants(record.Decision == audit.Deny || record.WouldDeny != "") {
		log.Write(&record)
	}
}

func (h *httpCall) verdict(code int) (audit.Decision, string) {
	switch {
	case turnsAway(h.reason):
		return audit.Deny, string(h.reason)
	case h.ahead.method == nil:
		return audit.Deny, string(ReasonUnknownMethod)
	case h.reason == ReasonDeadline:
		return audit.None, string(h.reason)
	case h.reason == "" && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return audit.Deny, deniedByHandler
	default:
		return audit.Allow, string(h.reason)
	}
}

func (h *httpCall) auditRecord(event audit.Event, r *http.Request) audit.Record {
	record := audit.Record{
		Event: event, Time: h.start, Protocol: "http", Method: h.server.unknown.Name, Caller: h.ahead.caller,
		Address: addressOf(h.parent), Trace: h.trace.context(), WouldDeny: string(h.ahead.audited), Explain: h.explain,
		Peer: h.former,
	}
	if record.Explain == "" {
		record.Explain = h.ahead.explain
	}
	if h.ahead.method != nil {
		record.Method = h.ahead.method.Name
	} else {
		var known decision
		known.prove(h.parent, h.start)
		record.Caller = known.caller
		record.Requested = catalog.HTTPMethod(r.Method) + " " + r.URL.Path // never the query: it may hold secrets
	}
	return record
}
