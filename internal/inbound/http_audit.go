package inbound

import (
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/catalog"
)

// auditRoute is auditBegin for the request of a route. It reports whether the handler may run; if
// not, it has answered.
func auditRoute(h *httpCall, w http.ResponseWriter, r *http.Request, route *Method) bool {
	log := h.server.cfg.Audit
	if !log.Refuses() || !log.Wants(h.ahead.audited != "") {
		return true
	}
	record := recordOfRequest(h, audit.Begin, r)
	record.Decision = audit.Allow
	err := log.Commit(h, &record)
	if err == nil {
		return true
	}
	h.reason, h.explain = ReasonUnaudited, err.Error()
	h.server.obs.rejected.WithLabelValues(route.Name, string(ReasonUnaudited)).Inc()
	answerUnread(h)
	writeError(w, r, errUnaudited(), routeStatus)
	return false
}

// auditStream records that the request of a route has become a stream, which may run for days. It
// records it once, unless the request was recorded before its handler ran. The caller holds the
// lock of h.
func auditStream(h *httpCall) {
	log, route := h.server.cfg.Audit, h.ahead.method
	if h.recorded || log.Refuses() || route == nil || route.handler != nil || h.reason != "" || !log.Wants(h.ahead.audited != "") {
		return
	}
	h.recorded = true
	record := recordOfRequest(h, audit.Begin, h.request)
	record.Decision = audit.Allow
	log.Write(&record)
}

// auditRequest records a request without a call: of a route, for a call that was never made, or
// for an unknown path. The chassis's own pages are left out, because they have no caller to
// decide about.
func auditRequest(h *httpCall, r *http.Request, route string, code int, elapsed time.Duration) {
	if h.ahead.method == nil && h.reason == "" && route != "" {
		return
	}
	record := recordOfRequest(h, audit.End, r)
	record.Time, record.Duration, record.Status = h.start.Add(elapsed), elapsed, code
	record.Decision, record.Reason = verdictOfRequest(h, code)
	if log := h.server.cfg.Audit; log.Wants(record.Decision == audit.Deny || record.WouldDeny != "") {
		log.Write(&record)
	}
}

func verdictOfRequest(h *httpCall, code int) (audit.Decision, string) {
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

func recordOfRequest(h *httpCall, event audit.Event, r *http.Request) audit.Record {
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
		prove(h.parent, &known, h.start)
		record.Caller = known.caller
		record.Requested = catalog.HTTPMethod(r.Method) + " " + r.URL.Path // never the query: it may hold secrets
	}
	return record
}
