package jwt

import (
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"
)

const maxSubject = 255 // what OpenID Connect allows

var (
	errNotClaims  = errors.New("jwt: the token's claims cannot be read, or one stands there twice")
	errIssuer     = errors.New("jwt: the token is of another issuer")
	errAudience   = errors.New("jwt: the token is made out to another audience")
	errExpired    = errors.New("jwt: the token has expired")
	errNoExpiry   = errors.New("jwt: the token has no exp claim")
	errTooEarly   = errors.New("jwt: the token is not valid yet")
	errSubject    = errors.New("jwt: the token's subject is missing, or is not 1 to 255 printable bytes")
	errUnverified = errors.New("jwt: the issuer does not say that the token's email is verified")
)

// claims are what a token must claim.
type claims struct{ issuer, audience, subject string }

// read returns the subject of the token with a payload whose signature was verified.
func (c claims) read(payload []byte, now time.Time) (string, error) {
	var standard jwt.Claims
	var all map[string]any
	if json.Unmarshal(payload, &standard) != nil || json.Unmarshal(payload, &all) != nil {
		return "", errNotClaims
	}
	if standard.Expiry == nil {
		return "", errNoExpiry
	}
	expected := jwt.Expected{Issuer: c.issuer, AnyAudience: jwt.Audience{c.audience}, Time: now}
	if err := standard.ValidateWithLeeway(expected, leeway); err != nil {
		return "", inOurWords(err)
	}
	subject, ok := all[c.subject].(string)
	switch {
	case !ok || !validSubject(subject):
		return "", errSubject
	case c.subject == "email" && !isTrue(all["email_verified"]):
		return "", errUnverified
	}
	return subject, nil
}

func inOurWords(err error) error {
	switch {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return errIssuer
	case errors.Is(err, jwt.ErrInvalidAudience):
		return errAudience
	case errors.Is(err, jwt.ErrExpired):
		return errExpired
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return errTooEarly
	default:
		return errClaims
	}
}

// validSubject refuses what could be taken for another subject by an eye or a log.
func validSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isTrue takes the text too, which some issuers send.
func isTrue(v any) bool { return v == true || v == "true" }
