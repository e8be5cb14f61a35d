package jwt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/betmakers/paddock/jwt"
)

const audience = "bets"

// issuer is an OpenID Connect provider, as far as keys go. It is an http.Handler and an
// http.RoundTripper.
type issuer struct {
	url       string
	fetches   atomic.Int64 // of keys
	discovery atomic.Int64

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // in place of the keys; nil for the keys
	keys   []jose.JSONWebKey
}

// newIssuer returns an issuer that is served by nobody: it is a transport.
func newIssuer(keys ...jose.JSONWebKey) *issuer {
	return &issuer{url: "https://issuer.test", keys: keys}
}

// serve returns an issuer on a port of this machine.
func serve(t testing.TB, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := newIssuer(keys...)
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) rotate(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) answerWith(answer func(http.ResponseWriter, *http.Request)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	answer, keys := i.answer, i.keys
	i.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		i.discovery.Add(1)
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, i.url, i.url+"/keys")
	case "/keys":
		i.fetches.Add(1)
		if answer != nil {
			answer(w, r)
			return
		}
		set := jose.JSONWebKeySet{}
		for _, key := range keys {
			set.Keys = append(set.Keys, key.Public())
		}
		if err := json.NewEncoder(w).Encode(set); err != nil {
			panic(err) // the test's own keys always marshal
		}
	default:
		http.NotFound(w, r)
	}
}

// RoundTrip answers without a network, so that time in a synctest bubble goes on.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (i *issuer) config() jwt.Config {
	return jwt.Config{Issuer: i.url, Audience: audience}
}

// verifier returns a verifier of what i gives out, whose keys come from the transport.
func (i *issuer) verifier(t testing.TB) *jwt.Verifier {
	t.Helper()
	cfg := i.config()
	if i.url == "https://issuer.test" {
		cfg.HTTPClient = &http.Client{Transport: i}
	}
	v, err := jwt.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// claims are those of a good token for alice, with changes. A nil value takes a claim away.
func (i *issuer) claims(changes map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.url, "aud": audience, "sub": "alice",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
	for name, value := range changes {
		if value == nil {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	return all
}

// token returns a token for alice, with changes, signed with key.
func (i *issuer) token(t testing.TB, key jose.JSONWebKey, changes map[string]any) string {
	t.Helper()
	token, err := josejwt.Signed(signer(t, key)).Claims(i.claims(changes)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func signer(t testing.TB, key jose.JSONWebKey) jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// raw returns a token with the payload as it is.
func raw(t testing.TB, key jose.JSONWebKey, payload string) string {
	t.Helper()
	jws, err := signer(t, key).Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"}
}

func newRSAKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(body string) *http.Response {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(body)
	return w.Result()
}
