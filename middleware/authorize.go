package middleware

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
)

// Caller is who makes a call, as far as that was proved.
type Caller = contract.Caller

// TokenVerifier decides about the bearer tokens of callers from outside the mesh. Verify returns the subject of a token,
// or an error, which is for the log: it must not quote the token. It is called for each REST call that brings a token,
// concurrently.
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

// CallerOf returns who makes the call of ctx; the zero value if nothing was proved, or ctx belongs to no call.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.caller
	}
	return Caller{}
}

// identify finds out who calls: by mutual TLS, and by a bearer token where REST brings one.
func (c *call) identify() error {
	if err := c.prove(); err != nil {
		return err
	}
	tokens := c.method.server.cfg.Tokens
	if tokens == nil || c.http == nil {
		return nil
	}
	token, ok := c.bearer()
	if !ok {
		return nil
	}
	subject, until, err := verifyToken(c, tokens, token)
	if err != nil || subject == "" {
		c.refuse(ReasonUnauthenticated, "bearer token refused: "+textOf(err, "it has no subject"))
		return status.Error(codes.Unauthenticated, "the bearer token is not accepted")
	}
	c.caller.Subject = subject
	if !until.IsZero() && !c.method.Unary() {
		c.method.server.streams.until(c, until)
	}
	return nil
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

// bearer returns the token of RFC 6750 in a REST call's Authorization header, of which there may be one.
func (c *call) bearer() (string, bool) {
	headers := c.http.request.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}

// authorize holds the caller to the method's declaration. In audit mode it lets everybody in, and tells whom it would
// not have let in.
func (c *call) authorize() error {
	s := c.method.server
	if c.method.Authorize(c.caller, s.trustDomain) {
		return nil
	}
	verdict := c.method.Explain(c.caller, s.trustDomain)
	reason, err := ReasonDenied, status.Error(codes.PermissionDenied, "the caller may not call this method")
	if verdict.Anonymous {
		reason, err = ReasonUnauthenticated, status.Error(codes.Unauthenticated, "the caller has no identity")
	}
	if s.cfg.AuditOnly {
		c.alter(func(rare *rareCall) { rare.explain, rare.audited = verdict.Why, true })
		s.obs.audited.WithLabelValues(c.method.Name, string(reason)).Inc()
		return nil
	}
	c.refuse(reason, verdict.Why)
	return err
}

// refuse notes why a call does not reach its handler. Explain is for operators and may be empty.
func (c *call) refuse(reason Reason, explain string) {
	c.alter(func(rare *rareCall) { rare.refused, rare.explain = reason, explain })
}
