package jwt

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config configures which tokens are accepted. Its tags are those of a service's own
// configuration, so it can be embedded there, with an `env:", prefix=…"` tag if there are
// several.
type Config struct {
	// Issuer is the required value of the tokens' iss claim, compared exactly. Required.
	Issuer string `env:"JWT_ISSUER" help:"Issuer of the bearer tokens that are accepted, as their iss claim has it: an https URL."`

	// Audience is a required entry of the tokens' aud claim. Without it, a token for another
	// service would be accepted. Required.
	Audience string `env:"JWT_AUDIENCE" help:"Audience that bearer tokens must be made out to, as their aud claim has it."`

	// JWKSURL is the address of the issuer's keys. Empty means that it comes from OpenID Connect
	// discovery.
	JWKSURL string `env:"JWT_JWKS_URL" help:"Where the issuer of bearer tokens publishes its keys: an https URL. Empty asks the issuer, by OpenID Connect discovery."`

	// SubjectClaim is the claim with the user's name. Empty means sub, the only claim that an
	// issuer never assigns to another user. With email, tokens must also have email_verified,
	// because an issuer may let users claim any address.
	SubjectClaim string `env:"JWT_SUBJECT_CLAIM, default=sub" help:"Claim of bearer tokens that methods know as user:SUBJECT."`

	// Algorithms are the accepted signature algorithms, out of RS256, RS384, RS512, PS256, PS384,
	// PS512, ES256, ES384, ES512 and EdDSA. Empty means RS256 and ES256.
	Algorithms []string `env:"JWT_ALGORITHMS, default=RS256,ES256" help:"Signature algorithms of bearer tokens that are accepted. Symmetric ones and none cannot be."`

	// Types are the accepted types of tokens, compared with typ in their header (RFC 8725,
	// section 3.11) without regard to case or a prefix "application/". "none" stands for tokens
	// without a type. Empty means JWT, at+jwt and none, because Okta, Cognito and Kubernetes set
	// no type and most others JWT. If the issuer follows RFC 9068, use at+jwt alone.
	Types []string `env:"JWT_TYPES, default=JWT,at+jwt,none" secret:"false" help:"Types of bearer tokens that are accepted, as the typ of their header has it; none stands for tokens without one. at+jwt alone, where the issuer names its access tokens so."`

	// MaxLife is the longest accepted time to a token's expiry. Zero means 366 days, because
	// Kubernetes extends tokens of service accounts to a year; Auth0 issues up to 30 days, others
	// a day. A token with a longer life is like a password.
	MaxLife time.Duration `env:"JWT_MAX_LIFE, default=8784h" help:"Longest time that a bearer token may have left. One with more is refused."`

	// IDTokens accepts ID tokens of logins: tokens with a nonce and without other signs of an
	// access token. They are made to identify the user to a client, but some clients send them as
	// bearer tokens.
	IDTokens bool `env:"JWT_ID_TOKENS, default=false" help:"Accept ID tokens that come from a login, which have a nonce, as bearer tokens."`

	// HTTPClient fetches keys. It follows no redirects and reads at most a mebibyte of each
	// answer. Nil means a client that uses the proxies of the environment.
	HTTPClient *http.Client
}

// maxLife is the default of Config.MaxLife.
const maxLife = 366 * 24 * time.Hour

// noType stands for tokens without a typ in Config.Types.
const noType = "none"

var defaultTypes = []string{"JWT", "at+jwt", noType}

var (
	allowed  = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
	defaults = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
)

func (c *Config) validate() error {
	var errs []error
	if err := checkURL(c.Issuer); err != nil {
		errs = append(errs, fmt.Errorf("jwt: Issuer (JWT_ISSUER): %w", err))
	}
	if c.Audience == "" {
		errs = append(errs, errors.New("jwt: Audience (JWT_AUDIENCE) is empty: it says which tokens are meant for this service"))
	}
	if c.JWKSURL != "" {
		if err := checkURL(c.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("jwt: JWKSURL (JWT_JWKS_URL): %w", err))
		}
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(allowed, jose.SignatureAlgorithm(name)) {
			errs = append(errs, fmt.Errorf("jwt: Algorithms (JWT_ALGORITHMS) has %q; they must be among %q", name, allowed))
		}
	}
	if slices.Contains(c.Types, "") {
		errs = append(errs, errors.New(`jwt: Types (JWT_TYPES) has an empty type; "none" stands for tokens without one`))
	}
	if c.MaxLife < 0 {
		errs = append(errs, fmt.Errorf("jwt: MaxLife (JWT_MAX_LIFE) is %s; it must not be negative", c.MaxLife))
	}
	return errors.Join(errs...)
}

// checkURL rejects URLs by which an attacker on the network could insert keys.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("it is empty; an https URL is expected")
	case err != nil || u.Host == "":
		return errors.New("it is not a URL; one like https://login.example.org is expected")
	case u.User != nil:
		return errors.New("it has a password in it; none is expected")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("its scheme is %q; https is expected, and http for this machine alone", u.Scheme)
	}
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (c *Config) algorithms() []jose.SignatureAlgorithm {
	if len(c.Algorithms) == 0 {
		return defaults
	}
	list := make([]jose.SignatureAlgorithm, len(c.Algorithms))
	for i, name := range c.Algorithms {
		list[i] = jose.SignatureAlgorithm(name)
	}
	return list
}

// types returns the accepted types of tokens, normalized by typeOf.
func (c *Config) types() []string {
	list := c.Types
	if len(list) == 0 {
		list = defaultTypes
	}
	types := make([]string, len(list))
	for i, name := range list {
		types[i] = typeOf(name)
	}
	return types
}

// typeOf normalizes the names of a media type: RFC 7515, section 4.1.9.
func typeOf(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), "application/")
}
