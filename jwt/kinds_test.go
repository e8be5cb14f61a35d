package jwt_test

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/betmakers/paddock/jwt"
)

// typed returns a token for alice with a header's typ, none if that is nil, and changed claims.
func (i *issuer) typed(t testing.TB, key jose.JSONWebKey, typ any, changes map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != nil {
		options = options.WithHeader(jose.HeaderType, typ)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := josejwt.Signed(s).Claims(i.claims(changes)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// What a token is for is told by its type and its claims. The good ones are in the shapes of
// issuers that are common.
func TestKindsOfTokens(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	logout := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	const day = 24 * time.Hour
	type config = func(*jwt.Config)
	for _, test := range []struct {
		name    string
		typ     any
		changes map[string]any
		config  config
		want    string // in the error; empty for a token that is accepted
	}{
		{"Auth0", "JWT", map[string]any{"azp": "spa", "scope": "openid bets", "exp": in(30 * day)}, nil, ""},
		{"Auth0, RFC 9068", "at+jwt", map[string]any{"client_id": "spa", "jti": "1"}, nil, ""},
		{"Keycloak before 25", "JWT", map[string]any{"typ": "Bearer", "nonce": "n", "azp": "web"}, nil, ""},
		{"Entra ID", "JWT", map[string]any{"scp": "bets", "nonce": "n", "ver": "2.0"}, nil, ""},
		{"Okta, Cognito", nil, map[string]any{"scp": []string{"bets"}}, nil, ""},
		{"Google, of a service account", "JWT", map[string]any{"azp": "1", "email": "a@b.test"}, nil, ""},
		{"Kubernetes, extended", nil, map[string]any{"exp": in(365*day + time.Hour), "kubernetes.io": map[string]any{}}, nil, ""},
		{"a claim of the service's own", "JWT", map[string]any{"events": []string{"derby"}}, nil, ""},
		{"the whole media type", "application/at+jwt", nil, nil, ""},
		{"another case", "AT+JWT", nil, nil, ""},

		{"a logout token", "logout+jwt", map[string]any{"events": logout}, nil, "typ"},
		{"an old logout token", "JWT", map[string]any{"events": logout}, nil, "events"},
		{"a security event", "secevent+jwt", nil, nil, "typ"},
		{"a proof of possession", "dpop+jwt", nil, nil, "typ"},
		{"a request object", "oauth-authz-req+jwt", nil, nil, "typ"},
		{"an empty type", "", nil, nil, "typ"},
		{"a type that is called none", "none", nil, nil, "typ"},
		{"a type that is a number", 7, nil, nil, "typ"},
		{"bound to a DPoP key", "at+jwt", map[string]any{"cnf": map[string]any{"jkt": secret}}, nil, "cnf"},
		{"bound to a certificate", "JWT", map[string]any{"cnf": map[string]any{"x5t#S256": secret}}, nil, "cnf"},
		{"bound to something else", "JWT", map[string]any{"cnf": secret}, nil, "cnf"},
		{"an ID token of a login", "JWT", map[string]any{"nonce": secret, "azp": "web", "at_hash": "x"}, nil, "ID token"},
		{"the same without a type", nil, map[string]any{"nonce": secret}, nil, "ID token"},
		{"for 100 years", "JWT", map[string]any{"exp": in(36500 * day)}, nil, "JWT_MAX_LIFE"},
		{"for 370 days", "at+jwt", map[string]any{"exp": in(370 * day)}, nil, "JWT_MAX_LIFE"},

		{"an ID token where they are accepted", "JWT", map[string]any{"nonce": "n"}, func(c *jwt.Config) { c.IDTokens = true }, ""},
		{"no type where one is demanded", nil, nil, func(c *jwt.Config) { c.Types = []string{"at+jwt"} }, "typ"},
		{"another type than the one demanded", "JWT", nil, func(c *jwt.Config) { c.Types = []string{"at+jwt"} }, "typ"},
		{"the type demanded", "at+jwt", nil, func(c *jwt.Config) { c.Types = []string{"application/AT+JWT"} }, ""},
		{"longer than configured", "JWT", nil, func(c *jwt.Config) { c.MaxLife = 10 * time.Minute }, "JWT_MAX_LIFE"},
		{"10 years where that is configured", "JWT", map[string]any{"exp": in(3650 * day)}, func(c *jwt.Config) { c.MaxLife = 3660 * day }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := i.config()
			if test.config != nil {
				test.config(&cfg)
			}
			v, err := jwt.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			subject, err := v.Verify(t.Context(), i.typed(t, key, test.typ, test.changes))
			switch {
			case test.want == "":
				if subject != "alice" || err != nil {
					t.Errorf("got %q, %v; want alice", subject, err)
				}
			case subject != "" || err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %q, %v; want an error with %q", subject, err, test.want)
			case strings.Contains(err.Error(), secret):
				t.Errorf("the error quotes the token: %v", err)
			}
		})
	}
}

func TestShortKeys(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := jose.JSONWebKey{Key: private, KeyID: "short", Algorithm: string(jose.RS256), Use: "sig"}
	good := newKey(t, "ec")
	i := serve(t, short, good)
	v := i.verifier(t)
	if subject, err := v.Verify(t.Context(), i.token(t, good, nil)); subject != "alice" || err != nil {
		t.Errorf("the good key beside it: got %q, %v", subject, err)
	}
	if subject, err := v.Verify(t.Context(), i.token(t, short, nil)); subject != "" || err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("got %q, %v; want that there is no such key", subject, err)
	}
	if err := serve(t, short).verifier(t).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "less than 2048 bits") {
		t.Errorf("got %v; want an error that says why no key counts", err)
	}
}

// The end of a token is its exp and the leeway.
func TestVerifyUntil(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	v := i.verifier(t)
	end := time.Now().Add(5 * time.Minute).Truncate(time.Second)
	subject, until, err := v.VerifyUntil(t.Context(), i.token(t, key, map[string]any{"exp": end.Unix()}))
	if subject != "alice" || !until.Equal(end.Add(30*time.Second)) || err != nil {
		t.Errorf("got %q until %s, %v; want alice until %s", subject, until, err, end.Add(30*time.Second))
	}
	if _, until, err := v.VerifyUntil(t.Context(), "a.b.c"); !until.IsZero() || err == nil {
		t.Errorf("a bad token: got %s, %v; want no time", until, err)
	}
}
