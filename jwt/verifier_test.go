package jwt_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/betmakers/paddock/jwt"
)

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	ec, rsa := newKey(t, "ec"), newRSAKey(t, "rsa")
	i := serve(t, ec, rsa)
	v := i.verifier(t)
	nameless := ec
	nameless.KeyID = ""
	for _, test := range []struct {
		name    string
		key     jose.JSONWebKey
		changes map[string]any
		subject string
	}{
		{"plain", ec, nil, "alice"},
		{"RSA", rsa, nil, "alice"},
		{"a key without a name", nameless, nil, "alice"},
		{"among several audiences", ec, map[string]any{"aud": []string{"other", audience}}, "alice"},
		{"expired, but for the leeway", ec, map[string]any{"exp": time.Now().Add(-20 * time.Second).Unix()}, "alice"},
		{"early, but for the leeway", ec, map[string]any{"nbf": time.Now().Add(20 * time.Second).Unix()}, "alice"},
		{"a subject with a slash, a star and a colon", ec, map[string]any{"sub": "user:*/x@example.org"}, "user:*/x@example.org"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), i.token(t, test.key, test.changes))
			if got != test.subject || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, test.subject)
			}
		})
	}
}

// secret is in every bad token, and must be in no error.
const secret = "canary"

func TestBadTokens(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	v := i.verifier(t)
	stranger := newKey(t, "ec")
	rsa := newRSAKey(t, "rsa")
	good := i.token(t, key, map[string]any{"note": secret})
	header, payload, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(payload, ".")
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(i.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	inside := strings.Trim(string(claims), "{}")

	changed := func(name string, value any) string {
		return i.token(t, key, map[string]any{name: value, "note": secret})
	}
	for _, test := range []struct{ name, token, want string }{
		{"empty", "", "compact form"},
		{"no token", secret, "compact form"},
		{"dots", "..", "compact form"},
		{"in JSON", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q,"x":"a.b.c"}`, payload, header, signature), "compact form"},
		{"too long", good + strings.Repeat("A", 16<<10), "16 KiB"},
		{"no signature", header + "." + payload + ".", "signature"},
		{"another payload", header + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"bob"}`)) + "." + signature, "signature"},
		{"algorithm none", encode(`{"alg":"none"}`) + "." + payload + ".", "allowed algorithm"},
		{"algorithm None", encode(`{"alg":"None","kid":"ec"}`) + "." + payload + "." + signature, "allowed algorithm"},
		{"HMAC with the public key", i.token(t, jose.JSONWebKey{Key: der, KeyID: "ec", Algorithm: "HS256"}, nil), "allowed algorithm"},
		{"an algorithm that is not the key's", encode(`{"alg":"RS256","kid":"ec"}`) + "." + payload + "." + signature, "no key"},
		{"a key of its own", encode(`{"alg":"ES256","jwk":`+string(mustJSON(t, stranger.Public()))+`}`) + "." + payload + "." + signature, "no key"},
		{"a stranger's key under a known name", i.token(t, stranger, map[string]any{"note": secret}), "signature"},
		{"an unknown key", i.token(t, rsa, map[string]any{"note": secret}), "no key"},
		{"critical headers", encode(`{"alg":"ES256","kid":"ec","crit":["exp"],"exp":1}`) + "." + payload + "." + signature, "signature"},
		{"another issuer", changed("iss", "https://"+secret+".example.org"), "another issuer"},
		{"no issuer", changed("iss", nil), "another issuer"},
		{"an issuer in the wrong case", raw(t, key, `{"ISS":"`+i.url+`",`+strings.ReplaceAll(inside, `"iss"`, `"x"`)+`}`), "another issuer"},
		{"another audience", changed("aud", secret), "another audience"},
		{"no audience", changed("aud", nil), "another audience"},
		{"expired", changed("exp", time.Now().Add(-time.Minute).Unix()), "expired"},
		{"no expiry", changed("exp", nil), "no exp"},
		{"an expiry that is text", changed("exp", secret), "cannot be read"},
		{"not valid yet", changed("nbf", time.Now().Add(time.Minute).Unix()), "not valid yet"},
		{"issued in the future", changed("iat", time.Now().Add(time.Minute).Unix()), "not valid yet"},
		{"no subject", changed("sub", nil), "subject"},
		{"an empty subject", changed("sub", ""), "subject"},
		{"a subject that is a number", changed("sub", 7), "cannot be read"},
		{"a subject with a line's end", changed("sub", "alice\n"+secret), "subject"},
		{"a subject with a blank behind", changed("sub", "alice "), "subject"},
		{"a subject that turns around", changed("sub", "\u202ealice"), "subject"},
		{"a subject too long", changed("sub", strings.Repeat("a", 256)), "subject"},
		{"two subjects", raw(t, key, `{"sub":"bob",`+inside+`}`), "twice"},
		{"no claims", raw(t, key, secret), "cannot be read"},
		{"claims that are a list", raw(t, key, `["`+secret+`"]`), "cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject, err := v.Verify(t.Context(), test.token)
			if subject != "" || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %q, %v; want an error with %q", subject, err, test.want)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), secret) || len(test.token) > 3 && strings.Contains(e.Error(), test.token) {
					t.Errorf("the error quotes the token: %v", e)
				}
			}
		})
	}
	if got := i.fetches.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1: no token makes it more within 10 s", got)
	}
}

func encode(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSubjectClaim(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	cfg := i.config()
	cfg.SubjectClaim = "email"
	v, err := jwt.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	const address = "alice@example.org"
	for _, test := range []struct {
		name    string
		changes map[string]any
		subject string
	}{
		{"verified", map[string]any{"email": address, "email_verified": true}, address},
		{"verified, as text", map[string]any{"email": address, "email_verified": "true"}, address},
		{"not verified", map[string]any{"email": address, "email_verified": false}, ""},
		{"nothing said", map[string]any{"email": address}, ""},
		{"in the wrong case", map[string]any{"Email": address, "email_verified": true}, ""},
		{"a list", map[string]any{"email": []string{address}, "email_verified": true}, ""},
	} {
		got, err := v.Verify(t.Context(), i.token(t, key, test.changes))
		if got != test.subject || (err == nil) != (test.subject != "") {
			t.Errorf("%s: got %q, %v; want %q", test.name, got, err, test.subject)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := jwt.Config{Issuer: "https://login.example.org", Audience: audience}
	for _, test := range []struct {
		name   string
		change func(*jwt.Config)
		want   []string
	}{
		{"nothing set", func(c *jwt.Config) { *c = jwt.Config{} }, []string{"JWT_ISSUER", "JWT_AUDIENCE"}},
		{"plain http", func(c *jwt.Config) { c.Issuer = "http://login.example.org" }, []string{"JWT_ISSUER", "https is expected"}},
		{"keys by plain http", func(c *jwt.Config) { c.JWKSURL = "http://localhost.example.org" }, []string{"JWT_JWKS_URL", "https is expected"}},
		{"a name", func(c *jwt.Config) { c.Issuer = "login" }, []string{"JWT_ISSUER", "not a URL"}},
		{"a password", func(c *jwt.Config) { c.Issuer = "https://me:canary@login.example.org" }, []string{"JWT_ISSUER", "password"}},
		{"a symmetric algorithm", func(c *jwt.Config) { c.Algorithms = []string{"RS256", "HS256"} }, []string{`"HS256"`, "must be among"}},
		{"an empty type", func(c *jwt.Config) { c.Types = []string{"JWT", ""} }, []string{"JWT_TYPES", "none"}},
		{"a negative life", func(c *jwt.Config) { c.MaxLife = -time.Second }, []string{"JWT_MAX_LIFE"}},
		{"no algorithm", func(c *jwt.Config) { c.Algorithms = []string{"none"} }, []string{`"none"`}},
	} {
		cfg := good
		test.change(&cfg)
		_, err := jwt.New(t.Context(), cfg)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: got %v, want an error with %q", test.name, err, want)
			}
		}
	}
}

func TestZeroVerifier(t *testing.T) {
	t.Parallel()
	var v jwt.Verifier
	if subject, err := v.Verify(t.Context(), "a.b.c"); subject != "" || err == nil {
		t.Errorf("got %q, %v; want it to refuse", subject, err)
	}
	if err := v.Check(t.Context()); err == nil {
		t.Error("got no error, want the check to fail")
	}
	key := newKey(t, "ec")
	i := serve(t, key)
	if err := v.Configure(t.Context(), i.config()); err != nil {
		t.Fatal(err)
	}
	if err := v.Configure(t.Context(), jwt.Config{}); err == nil {
		t.Error("got no error for an empty configuration")
	}
	if subject, err := v.Verify(t.Context(), i.token(t, key, nil)); subject != "alice" || err != nil {
		t.Errorf("got %q, %v; want alice, by the configuration that was right", subject, err)
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	key, bad := newKey(t, "ec"), newKey(t, "ec")
	i := serve(t, key)
	v := i.verifier(t)
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			subject := fmt.Sprintf("user-%d", n)
			good, wrong := i.token(t, key, map[string]any{"sub": subject}), i.token(t, bad, map[string]any{"sub": subject})
			for range 10 {
				if got, err := v.Verify(t.Context(), good); got != subject || err != nil {
					t.Errorf("got %q, %v; want %q", got, err, subject)
				}
				if got, err := v.Verify(t.Context(), wrong); got != "" || err == nil {
					t.Errorf("got %q, %v; want an error", got, err)
				}
			}
		})
	}
	group.Wait()
	if got := i.fetches.Load(); got != 1 {
		t.Errorf("the keys were fetched %d times, want 1", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, key := range []jose.JSONWebKey{newKey(b, "ec"), newRSAKey(b, "rsa")} {
		b.Run(key.Algorithm, func(b *testing.B) {
			i := serve(b, key)
			v, token := i.verifier(b), i.token(b, key, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
