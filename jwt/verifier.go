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

// What is wrong with a token, in words that have nothing of it.
var (
	errNotConfigured = errors.New("jwt: the verifier is not configured: call Configure in Setup")
	errTooLong       = errors.New("jwt: the token is longer than 16 KiB")
	errMalformed     = errors.New("jwt: not a JSON Web Token in compact form, signed with an allowed algorithm")
	errClaims        = errors.New("jwt: the token's claims are not accepted")
)

// Verifier decides about bearer tokens: it is a chassis.TokenVerifier. The zero value refuses every token until it is
// configured. Its methods may be called concurrently.
type Verifier struct{ rules atomic.Pointer[rules] }

// rules are what a configuration has come to.
type rules struct {
	keys   *keySet
	oidc   oidc.Config
	claims claims
}

// New returns a verifier that is configured: see [Verifier.Configure].
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	v := new(Verifier)
	return v, v.Configure(ctx, cfg)
}

// Configure says whose tokens v accepts from now on; done again, it forgets what it was told before. It fails where cfg
// is wrong, and then changes nothing; it does not wait for the issuer, and does not fail where that is out of reach.
// The end of ctx ends the first fetch of the keys, which Configure begins.
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

// Verify returns the subject of a token that is accepted: 1 to 255 printable bytes. The error of another one says why
// it is not, and quotes nothing of it. Where the key of a token is not known, Verify waits for the issuer until ctx
// ends, 5 s at most.
func (v *Verifier) Verify(ctx context.Context, token string) (subject string, err error) {
	subject, _, err = v.VerifyUntil(ctx, token)
	return subject, err
}

// VerifyUntil is Verify, and returns too until when the token is accepted: 30 s longer than it says, for clocks that
// differ. By that the chassis ends streams.
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

// notCompact reports whether a letter cannot stand in a token: decoders of base64 leave out the ends of lines, and so would
// take one token in many forms.
func notCompact(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

// verify has go-oidc do what OpenID Connect demands. Its errors quote the token, so that the reason is found again, by
// rules that are stricter: names of claims in the right case, each once, and little leeway for nbf.
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

// attempt remembers how the check of one signature went.
type attempt struct {
	keys    *keySet
	typ     string
	payload []byte
	err     error
}

// VerifySignature is what go-oidc asks of a key set.
func (a *attempt) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	a.typ, a.payload, a.err = a.keys.verify(ctx, token)
	return a.payload, a.err
}

// Check returns nil if keys of the issuer are known, as a health check wants it. Else it tries to fetch them, unless
// that was tried in the last 10 s, and says why there are none.
func (v *Verifier) Check(ctx context.Context) error {
	r := v.rules.Load()
	if r == nil {
		return errNotConfigured
	}
	return r.keys.check(ctx)
}
