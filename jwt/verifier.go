package jwt

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	maxToken = 16 << 10
	leeway   = 30 * time.Second // by which the clocks of issuer and service may differ
)

// The reasons for rejecting a token. They contain nothing of it.
var (
	errNotConfigured = errors.New("jwt: the verifier is not configured: call Configure in Setup")
	errTooLong       = errors.New("jwt: the token is longer than 16 KiB")
	errMalformed     = errors.New("jwt: not a JSON Web Token in compact form, signed with an allowed algorithm")
	errClaims        = errors.New("jwt: the token's claims are not accepted")
)

// Verifier verifies bearer tokens: it is a chassis.TokenVerifier. The zero value rejects every
// token until it is configured. Its methods may be called concurrently.
type Verifier struct{ rules atomic.Pointer[rules] }

// rules are a parsed configuration.
type rules struct {
	keys   *keySet
	oidc   oidc.Config
	claims claims
}

// New returns a configured verifier; see [Verifier.Configure].
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	v := new(Verifier)
	return v, v.Configure(ctx, cfg)
}

// Configure sets which tokens v accepts, and replaces an earlier configuration. It fails if cfg
// is invalid, and then changes nothing. It starts the first fetch of the keys and does not wait
// for it, so it succeeds if the issuer is unreachable. That fetch ends with ctx.
func (v *Verifier) Configure(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.SubjectClaim == "" {
		cfg.SubjectClaim = "sub"
	}
	if cfg.MaxLife == 0 {
		cfg.MaxLife = maxLife
	}
	r := &rules{
		keys: newKeySet(newSource(cfg).fetch, cfg.algorithms(), cfg.types()),
		claims: claims{
			issuer: cfg.Issuer, audience: cfg.Audience, subject: cfg.SubjectClaim, maxLife: cfg.MaxLife, idTokens: cfg.IDTokens,
		},
		oidc: oidc.Config{ClientID: cfg.Audience, Now: func() time.Time { return time.Now().Add(-leeway) }},
	}
	for _, algorithm := range cfg.algorithms() {
		r.oidc.SupportedSigningAlgs = append(r.oidc.SupportedSigningAlgs, string(algorithm))
	}
	r.keys.begin(ctx)
	v.rules.Store(r)
	return nil
}

// Verify returns the subject of an accepted token: 1 to 255 printable bytes. The error of a
// rejected token states the reason and quotes nothing of the token. If the token's key is not
// known, Verify waits for the issuer until ctx ends, at most 5 s.
func (v *Verifier) Verify(ctx context.Context, token string) (subject string, err error) {
	subject, _, err = v.VerifyUntil(ctx, token)
	return subject, err
}

// VerifyUntil is Verify and also returns the time until which the token is accepted: 30 s after
// its expiry, because clocks differ. The chassis ends streams at that time.
func (v *Verifier) VerifyUntil(ctx context.Context, token string) (subject string, until time.Time, err error) {
	r := v.rules.Load()
	switch {
	case r == nil:
		return "", until, errNotConfigured
	case len(token) > maxToken:
		return "", until, errTooLong
	case strings.Count(token, ".") != 2, strings.ContainsFunc(token, notCompact): // go-oidc takes signatures in JSON too
		return "", until, errMalformed
	}
	return r.verify(ctx, token)
}

// notCompact reports whether a character may not occur in a token. Decoders of base64 skip line
// ends, and so would accept one token in many forms.
func notCompact(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

// verify lets go-oidc check the rules of OpenID Connect. Because its errors quote the token, the
// reason is determined again, by stricter rules: exact names of claims, no duplicates, and little
// leeway for nbf.
func (r *rules) verify(ctx context.Context, token string) (subject string, until time.Time, err error) {
	signed := &attempt{keys: r.keys}
	_, err = oidc.NewVerifier(r.claims.issuer, signed, &r.oidc).Verify(ctx, token)
	switch {
	case signed.err != nil:
		return "", until, signed.err
	case signed.payload == nil:
		return "", until, errMalformed
	}
	subject, expiry, reason := r.claims.read(signed.typ, signed.payload, time.Now())
	switch {
	case reason != nil:
		return "", until, reason
	case err != nil:
		return "", until, errClaims
	}
	return subject, expiry.Add(leeway), nil
}

// attempt records the result of checking one signature.
type attempt struct {
	keys    *keySet
	typ     string
	payload []byte
	err     error
}

// VerifySignature implements the key set of go-oidc.
func (a *attempt) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	a.typ, a.payload, a.err = a.keys.verify(ctx, token)
	return a.payload, a.err
}

// Check is a health check: it returns nil if keys of the issuer are known. Otherwise it tries to
// fetch them, unless a fetch was tried in the last 10 s, and returns the reason for its failure.
func (v *Verifier) Check(ctx context.Context) error {
	r := v.rules.Load()
	if r == nil {
		return errNotConfigured
	}
	return r.keys.check(ctx)
}
