package inbound

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
)

// Caller is who makes a call, as far as that was proved.
type Caller = contract.Caller

// CallerOf returns the caller of the call of ctx, or of the HTTP request that runs through
// [Server.Route]. It is the zero value if the caller has proved nothing, or ctx belongs to
// neither.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(served.Key{}).(*call); ok {
		return c.caller
	}
	if h := httpCallFrom(ctx); h != nil {
		return h.caller
	}
	return Caller{}
}

// authorize checks the caller against the method's declaration. In audit mode it admits every
// caller, and records which ones it would refuse.
func authorize(d *decision) {
	s := d.method.server
	if d.method.Authorize(d.caller, s.trustDomain) {
		return
	}
	verdict := d.method.Explain(d.caller, s.trustDomain)
	reason, err := ReasonDenied, status.Error(codes.PermissionDenied, "the caller may not call this method")
	if verdict.Anonymous {
		reason, err = ReasonUnauthenticated, status.Error(codes.Unauthenticated, "the caller has no identity")
	}
	if s.cfg.AuditOnly {
		d.audited, d.explain = reason, verdict.Why
		s.obs.audited.WithLabelValues(d.method.Name, string(reason)).Inc()
		return
	}
	d.refuse(reason, verdict.Why, err)
}
