package inbound

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/timeouts"
)

// TokenVerifier decides about the bearer tokens of callers from outside the mesh. Verify returns
// the subject of a token, or an error, which is for the log: it must not quote the token. It is
// called for each REST call that brings a token, concurrently.
//
// One that knows when a token ends may have a method
//
//	VerifyUntil(ctx context.Context, token string) (subject string, until time.Time, err error)
//
// too, which is called in its place: a stream then ends with the token, within a second. With
// Verify, or a zero time, a stream goes on.
type TokenVerifier interface {
	Verify(ctx context.Context, token string) (subject string, err error)
}

// identify identifies the caller, by the certificate of the connection and by the bearer token of
// the request.
func identify(ctx, conn context.Context, d *decision, h *httpCall, now time.Time) {
	if prove(conn, d, now); d.err == nil {
		identifyUser(ctx, conn, d, h, now)
	}
}

// identifyUser identifies the user by the bearer token of a REST request. A rejected token counts
// against the rate limit of its address, so that guessing is not free.
func identifyUser(ctx, conn context.Context, d *decision, h *httpCall, now time.Time) {
	tokens := d.method.server.cfg.Tokens
	if tokens == nil || h == nil {
		return
	}
	token, ok := bearerOf(h)
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
	if limitRate(conn, d, Caller{}, h, now); d.err != nil {
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

// bearerOf returns the token of RFC 6750 in a request's Authorization header, of which there may
// be only one.
func bearerOf(h *httpCall) (string, bool) {
	headers := h.request.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}
