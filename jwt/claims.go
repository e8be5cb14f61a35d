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
	errBound      = errors.New("jwt: the token is bound to a key by its cnf claim (RFC 8705, RFC 9449), of which a bearer proves nothing")
	errEvent      = errors.New("jwt: the token tells of events (RFC 8417), such as a logout, and gives access to nothing")
	errIDToken    = errors.New("jwt: the token is an ID token of a login: it tells a client who the user is, and gives access to nothing; JWT_ID_TOKENS accepts such")
	errLife       = errors.New("jwt: the token lives for longer than JWT_MAX_LIFE")
)

// claims are the required claims of a token.
type claims struct {
	issuer, audience, subject string
	maxLife                   time.Duration
	idTokens                  bool
}

// read returns the subject and the expiry of a token, from its verified payload. typ is the type
// in its header.
func (c claims) read(typ string, payload []byte, now time.Time) (subject string, expiry time.Time, err error) {
	var standard jwt.Claims
	var all map[string]any
	if json.Unmarshal(payload, &standard) != nil || json.Unmarshal(payload, &all) != nil {
		return "", expiry, errNotClaims
	}
	if standard.Expiry == nil {
		return "", expiry, errNoExpiry
	}
	expected := jwt.Expected{Issuer: c.issuer, AnyAudience: jwt.Audience{c.audience}, Time: now}
	if err := standard.ValidateWithLeeway(expected, leeway); err != nil {
		return "", expiry, inOurWords(err)
	}
	if err := c.kind(typ, all); err != nil {
		return "", expiry, err
	}
	if expiry = standard.Expiry.Time(); expiry.Sub(now) > c.maxLife {
		return "", expiry, errLife
	}
	subject, ok := all[c.subject].(string)
	switch {
	case !ok || !validSubject(subject):
		return "", expiry, errSubject
	case c.subject == "email" && !isTrue(all["email_verified"]):
		return "", expiry, errUnverified
	}
	return subject, expiry, nil
}

// kind rejects tokens that were issued for another purpose than access by their bearer.
func (c claims) kind(typ string, all map[string]any) error {
	if _, bound := all["cnf"]; bound {
		return errBound
	}
	if _, event := all["events"].(map[string]any); event { // a claim of that name may be a service's own, but hardly an object
		return errEvent
	}
	if _, nonce := all["nonce"]; nonce && !c.idTokens && !forAccess(typ, all) {
		return errIDToken
	}
	return nil
}

// forAccess distinguishes an access token that repeats the nonce of its login, as in Keycloak
// before version 25, from an ID token.
func forAccess(typ string, all map[string]any) bool {
	if typ == "at+jwt" || all["typ"] == "Bearer" {
		return true
	}
	for _, scopes := range [...]string{"scope", "scp"} { // RFC 9068; Entra ID and Okta
		if _, ok := all[scopes]; ok {
			return true
		}
	}
	return false
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

// validSubject rejects subjects that a person or a log could confuse with another one.
func validSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isTrue accepts the text "true" too, which some issuers send.
func isTrue(v any) bool { return v == true || v == "true" }
