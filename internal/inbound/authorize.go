package inbound

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
	"github.com/betmakers/paddock/internal/timeouts"
)

// Caller is who makes a call, as far as that was proved.
type Caller = contract.Caller

// TokenVerifier decides about the bearer tokens of callers from outside the mesh. Verify returns the subject of a
// token, or an error, which is for the log: it must not quote the token. It is called for each REST call that brings
// a token, concurrently.
//
// One that knows when a token ends may have a method
//
//	VerifyUntil(ctx context.Context, token string) (subject string, until time.Time, err error)
//
// too, which is called in its place: a stream then ends with the token, within a second. With Verify, or a zero time, a
// stream goes on.
type TokenVerifier interface {
	Verify(ctx context.Context, token string) (subject string, err error)
}

// CallerOf returns who makes the call of ctx, or the HTTP request that runs through [Server.Route]; the zero value if
// nothing was proved, or ctx belongs to neither.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(served.Key{}).(*call); ok {
		return c.caller
	}
	if h := httpCallFrom(ctx); h != nil {
		return h.caller
	}
	return Caller{}
}

// identifyUser finds out for which user a call is made, where REST brings a bearer token. A token that is not
// accepted takes from the bucket of the address that it came from: guessing is not free.
func (d *decision) identifyUser(ctx, conn context.Context, h *httpCall, now time.Time) {
	tokens := d.method.server.cfg.Tokens
	if tokens == nil || h == nil {
		return
	}
	token, ok := h.bearer()
	if !ok {
		return
	}
	ctx, cancel := timeouts.With(ctx, timeouts.Earlier(h.left(), d.method.Timeout))
	defer cancel()
	subject, until, err := verifyToken(ctx, tokens, token)
	if err == nil && subject != "" {
		d.caller.Subject, d.until = subject, until
		return
	}
	if ended := ctx.Err(); ended != nil {
		d.refuse(ReasonDeadline, "", status.FromContextError(ended).Err())
		return
	}
	if d.limitRate(conn, Caller{}, h, now); d.err != nil {
		return
	}
	d.refuse(ReasonUnauthenticated, "bearer token refused: "+textOf(err, "it has no subject"),
		status.Error(codes.Unauthenticated, "the bearer token is not accepted"))
}

func verifyToken(ctx context.Context, tokens TokenVerifier, token string) (subject string, until time.Time, err error) {
	if timed, ok := tokens.(interface {
		VerifyUntil(ctx context.Context, token string) (subject string, until time.Time, err error)
	}); ok {
		return timed.VerifyUntil(ctx, token)
	}
	subject, err = tokens.Verify(ctx, token)
	return subject, time.Time{}, err
}

func textOf(err error, otherwise string) string {
	if err == nil {
		return otherwise
	}
	return err.Error()
}

// bearer returns the token of RFC 6750 in a request's Authorization header, of which there may be one.
func (h *httpCall) bearer() (string, bool) {
	headers := h.request.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}

// authorize holds the caller to the method's declaration. In audit mode it lets everybody in, and tells whom it would
// not have let in.
func (d *decision) authorize() {
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

// refuse notes why a call does not reach its handler. Explain is for operators and may be empty.
func (c *call) refuse(reason Reason, explain string) {
	c.alter(func(rare *rareCall) { rare.refused, rare.explain, rare.audited = reason, explain, false })
}

// note keeps for operators what became of a call that was not refused, unless something is noted already.
func (c *call) note(what string) {
	c.alter(func(rare *rareCall) {
		if rare.explain == "" {
			rare.explain = what
		}
	})
}
