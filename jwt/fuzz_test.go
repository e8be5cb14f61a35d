package jwt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/betmakers/paddock/jwt"
)

// fuzzKey is the same in every run, so that a token of the corpus is as good in the next.
func fuzzKey(t testing.TB) jose.JSONWebKey {
	t.Helper()
	d := make([]byte, 32)
	d[31] = 7
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, KeyID: "ec", Algorithm: string(jose.ES256), Use: "sig"}
}

func fuzzVerifier(t testing.TB, i *issuer) *jwt.Verifier {
	t.Helper()
	cfg := i.config()
	cfg.HTTPClient = &http.Client{Transport: i}
	v, err := jwt.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// Whatever comes as a token: no panic, no subject but from a signature of the issuer's, no error
// that quotes it.
func FuzzVerify(f *testing.F) {
	key, stranger := fuzzKey(f), newKey(f, "ec")
	i := newIssuer(key)
	v := fuzzVerifier(f, i)
	good := i.token(f, stranger, nil)
	header, rest, _ := strings.Cut(good, ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, seed := range []string{
		"", ".", "..", "a.b.c", good, header + "." + payload + ".", encode(`{"alg":"none"}`) + "." + payload + ".",
		encode(`{"alg":"ES256","kid":"ec","b64":false,"crit":["b64"]}`) + ".x." + strings.Repeat("A", 86),
		encode(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d", "{}", strings.Repeat("a.", 9000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		subject, err := v.Verify(t.Context(), token)
		if subject != "" || err == nil {
			t.Fatalf("got %q, %v; want it refused: nobody signed it", subject, err)
		}
		if len(token) > 40 && strings.Contains(err.Error(), token) {
			t.Fatalf("the error quotes the token: %v", err)
		}
	})
}

// Whatever an issuer signs: no panic, no subject that is not printable, no claim in an error.
func FuzzClaims(f *testing.F) {
	key := fuzzKey(f)
	i := newIssuer(key)
	v := fuzzVerifier(f, i)
	f.Add(`{"iss":"https://issuer.test","aud":"bets","sub":"alice","exp":99999999999}`)
	f.Add(`{"iss":"https://issuer.test","aud":["bets"],"sub":"alice","exp":1e300,"nbf":-1e300}`)
	f.Add(`{"iss":"https://issuer.test","aud":"bets","sub":"alice","exp":99999999999,"_claim_names":{"a":"b"},"_claim_sources":{"b":{}}}`)
	f.Add(`[]`)
	f.Add(`null`)
	s := signer(f, key)
	f.Fuzz(func(t *testing.T, payload string) {
		jws, err := s.Sign([]byte(payload))
		if err != nil {
			t.Skip(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Skip(err)
		}
		subject, err := v.Verify(t.Context(), token)
		switch {
		case (subject == "") == (err == nil):
			t.Fatalf("got %q with %v", subject, err)
		case err == nil && (len(subject) > 255 || strings.ContainsAny(subject, "\x00\n\r\t\u2028")):
			t.Fatalf("got the subject %q", subject)
		case err == nil && !strings.Contains(payload, `"bets"`) && !strings.Contains(payload, `\`):
			t.Fatalf("%q was accepted for %q", payload, audience)
		case err != nil && len(payload) > 60 && strings.Contains(err.Error(), payload):
			t.Fatalf("the error quotes the claims: %v", err)
		}
	})
}

// Whatever an issuer publishes as its keys: no panic.
func FuzzKeys(f *testing.F) {
	token := newIssuer().token(f, fuzzKey(f), nil)
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"ec","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"ec"}, {"kty":"oct","k":"AA"}, {"kty":"OKP","crv":"Ed448"}, 7, null]}`))
	f.Add([]byte(`{"keys":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		i := newIssuer()
		i.answerWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
		cfg := i.config()
		cfg.HTTPClient = &http.Client{Transport: i}
		v, err := jwt.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		_ = v.Check(t.Context())
		if subject, err := v.Verify(t.Context(), token); err == nil && !strings.Contains(string(body), `"y"`) {
			t.Fatalf("got %q by keys that are not its own", subject)
		}
	})
}
