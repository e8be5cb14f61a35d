package jwt_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signed returns payload with a good signature, under a header with more fields.
func signed(t testing.TB, key jose.JSONWebKey, payload string, more map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{ExtraHeaders: more}).WithType("JWT")
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := token.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Tokens that have deceived verifiers elsewhere, beside those of TestBadTokens. None is taken, and
// none has another server asked for a key.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer evil.Close()
	key, stranger := newKey(t, "ec"), newKey(t, "other")
	i := serve(t, key)
	v := i.verifier(t)
	claims := func(name string, value any) string { return string(mustJSON(t, i.claims(map[string]any{name: value}))) }
	plain := claims("note", "")
	good := signed(t, key, plain, nil)
	if subject, err := v.Verify(t.Context(), good); subject != "alice" || err != nil {
		t.Fatalf("the control: got %q, %v", subject, err)
	}
	called := func(id string) jose.JSONWebKey {
		named := key
		named.KeyID = id
		return named
	}
	header := func(name jose.HeaderKey, value any) map[jose.HeaderKey]any {
		return map[jose.HeaderKey]any{name: value}
	}
	part := strings.Split(good, ".")
	for name, token := range map[string]string{
		"a key's name that is a path":         signed(t, called("../../../../dev/null"), plain, nil),
		"a key's name that is SQL":            signed(t, called("x' UNION SELECT 'a"), plain, nil),
		"a URL of keys":                       signed(t, stranger, plain, header("jku", evil.URL+"/keys")),
		"a URL of certificates":               signed(t, stranger, plain, header("x5u", evil.URL+"/keys")),
		"a chain of its own":                  signed(t, stranger, plain, header("x5c", []string{"MAA="})),
		"a payload that is not encoded":       strings.Join([]string{encode(`{"alg":"ES256","kid":"ec","b64":false,"crit":["b64"]}`), plain, part[2]}, "."),
		"a signature of zeros":                part[0] + "." + part[1] + "." + strings.Repeat("A", len(part[2])), // CVE-2022-21449
		"another last letter":                 good[:len(good)-1] + string(rune(good[len(good)-1]^1)),
		"padding":                             good + "=",
		"padding of a part":                   part[0] + "=." + part[1] + "." + part[2],
		"a line's end within":                 part[0] + "\n." + part[1] + "." + part[2],
		"a part more":                         good + "." + part[2],
		"five parts, as JWE has":              "a.b.c.d.e",
		"dots":                                strings.Repeat(".", 16<<10),
		"a token in a token":                  signed(t, key, good, header("cty", "JWT")),
		"an expiry beyond all numbers":        signed(t, key, strings.Replace(claims("exp", 7777), "7777", "1e300", 1), nil),
		"an expiry of more than 64 bits":      signed(t, key, strings.Replace(claims("exp", 7777), "7777", "18446744073709551617", 1), nil),
		"a negative expiry":                   signed(t, key, claims("exp", -5), nil),
		"an issuer with a slash more":         signed(t, key, claims("iss", i.url+"/"), nil),
		"an issuer in capitals":               signed(t, key, claims("iss", strings.ToUpper(i.url)), nil),
		"an issuer that is a list":            signed(t, key, claims("iss", []string{i.url}), nil),
		"an audience that is an object":       signed(t, key, claims("aud", map[string]string{"a": audience}), nil),
		"an audience that begins like ours":   signed(t, key, claims("aud", audience+"x"), nil),
		"an audience beside null":             signed(t, key, claims("aud", []any{nil, audience}), nil),
		"a subject that is a list":            signed(t, key, claims("sub", []string{"alice"}), nil),
		"a subject with a NUL":                signed(t, key, claims("sub", "alice\x00"), nil),
		"a subject with a letter of no width": signed(t, key, claims("sub", "ali\u200bce"), nil),
		"claims 5,000 deep":                   signed(t, key, claims("x", json.RawMessage(strings.Repeat("[", 9000)+strings.Repeat("]", 9000))), nil),
		"a hundred years":                     signed(t, key, claims("exp", time.Now().AddDate(100, 0, 0).Unix()), nil),
	} {
		t.Run(name, func(t *testing.T) {
			subject, err := v.Verify(t.Context(), token)
			if subject != "" || err == nil {
				t.Errorf("got %q, %v; want an error", subject, err)
			}
			if text := fmt.Sprint(err); len(text) > 1000 {
				t.Errorf("the error has %d bytes", len(text))
			}
		})
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("another server was asked for keys %d times", n)
	}
}
