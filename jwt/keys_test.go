package jwt_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/jwt"
)

// bubble runs a test with a false clock, and an issuer with one key.
func bubble(t *testing.T, test func(t *testing.T, i *issuer, v *jwt.Verifier, key jose.JSONWebKey)) {
	t.Helper()
	key := newKey(t, "old")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key)
		v := i.verifier(t)
		synctest.Wait()
		test(t, i, v, key)
		time.Sleep(time.Minute) // what is under way ends, or synctest tells
	})
}

func accepts(t *testing.T, v *jwt.Verifier, token string, want bool, when string) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); (err == nil) != want {
		t.Errorf("%s: got %v, want it accepted: %t", when, err, want)
	}
}

func fetched(t *testing.T, i *issuer, want int64, when string) {
	t.Helper()
	if got := i.fetches.Load(); got != want {
		t.Errorf("%s: the keys were fetched %d times, want %d", when, got, want)
	}
}

func TestNewKeyWorksAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, old jose.JSONWebKey) {
		accepts(t, v, i.token(t, old, nil), true, "before")
		fetched(t, i, 1, "before")
		time.Sleep(11 * time.Second) // of a bubble
		young := newKey(t, "new")
		i.rotate(old, young)
		accepts(t, v, i.token(t, young, nil), true, "the new key")
		accepts(t, v, i.token(t, old, nil), true, "the old key, which is still published")
		fetched(t, i, 2, "after")
	})
}

func TestWithdrawnKeyStopsWorking(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, old jose.JSONWebKey) {
		token := i.token(t, old, map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		i.rotate(newKey(t, "new"))
		time.Sleep(15 * time.Minute)
		accepts(t, v, token, true, "after 15 minutes")
		time.Sleep(time.Second)
		accepts(t, v, token, true, "while the keys are fetched")
		synctest.Wait()
		accepts(t, v, token, false, "with the keys fetched")
	})
}

func TestInventedKeysDoNotHammerTheIssuer(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, key jose.JSONWebKey) {
		invented := newKey(t, "")
		for n := range 1000 { // for 100 s
			invented.KeyID = fmt.Sprint("invented-", n%100)
			accepts(t, v, i.token(t, invented, nil), false, "an invented key")
			time.Sleep(100 * time.Millisecond) // of a bubble
		}
		fetched(t, i, 10, "after 100 s")
		accepts(t, v, i.token(t, key, nil), true, "a known key")
	})
}

// Wrong signatures under a known name are no reason to ask the issuer.
func TestWrongSignatureFetchesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, _ jose.JSONWebKey) {
		time.Sleep(time.Minute) // of a bubble
		accepts(t, v, i.token(t, newKey(t, "old"), nil), false, "a wrong signature")
		fetched(t, i, 1, "after it")
	})
}

func TestIssuerDown(t *testing.T) {
	unknown := newKey(t, "unknown")
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"fails": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "canary", http.StatusServiceUnavailable) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.test/", http.StatusFound)
		},
		"talks nonsense": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "canary") },
		"has no keys":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys": []}`) },
		"has secret keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys": [{"kty":"oct","k":"Y2FuYXJ5","kid":"x"}]}`)
		},
		"never ends": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"padding": %q, "keys": [%s]}`, strings.Repeat("x", 2<<20), mustJSON(t, unknown.Public()))
		},
		"publishes a private key": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys": [%s]}`, mustJSON(t, unknown))
		},
		"has many keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys": [%s%s]}`, strings.Repeat("{},", 100), mustJSON(t, unknown.Public()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, key jose.JSONWebKey) {
				i.answerWith(answer)
				for range 5 {
					time.Sleep(20 * time.Minute) // of a bubble
					accepts(t, v, i.token(t, key, nil), true, "a known key")
				}
				time.Sleep(time.Minute) // of a bubble
				begin := time.Now()
				_, err := v.Verify(t.Context(), i.token(t, unknown, nil))
				if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "cannot be fetched") {
					t.Errorf("got %v, want an error that tells of the issuer", err)
				}
				if waited := time.Since(begin); waited > 5*time.Second { // of the bubble's clock
					t.Errorf("waited %s for the issuer, want 5 s at most", waited)
				}
				i.answerWith(nil)
				time.Sleep(11 * time.Second) // of a bubble
				accepts(t, v, i.token(t, key, nil), true, "a known key, with the issuer back")
				if err := v.Check(t.Context()); err != nil {
					t.Errorf("got %v, want the check to pass", err)
				}
			})
		})
	}
}

// A service starts without its issuer, and comes to accept tokens when that is there.
func TestIssuerDownAtTheStart(t *testing.T) {
	key := newKey(t, "ec")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key)
		i.answerWith(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		v := i.verifier(t)
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("New has waited %s", waited)
		}
		accepts(t, v, i.token(t, key, nil), false, "no keys")
		if err := v.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be fetched") {
			t.Errorf("got %v, want the check to tell of the issuer", err)
		}
		i.answerWith(nil)
		accepts(t, v, i.token(t, key, nil), false, "too early for another fetch")
		time.Sleep(10 * time.Second)
		accepts(t, v, i.token(t, key, nil), true, "with keys")
		time.Sleep(time.Minute)
	})
}

// A caller that goes away ends its own wait, and not the fetch.
func TestCallerGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, old jose.JSONWebKey) {
		time.Sleep(time.Minute)
		young := newKey(t, "new")
		i.rotate(old, young)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = v.Verify(ctx, i.token(t, young, nil))
		synctest.Wait()
		accepts(t, v, i.token(t, young, nil), true, "by the fetch that was begun")
		fetched(t, i, 2, "after both")
	})
}

func TestKeysByURL(t *testing.T) {
	key := newKey(t, "ec")
	i := serve(t, key)
	cfg := i.config()
	cfg.JWKSURL, cfg.Issuer = i.url+"/keys", "https://login.example.org"
	v, err := jwt.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, v, i.token(t, key, map[string]any{"iss": cfg.Issuer}), true, "by the URL of the keys")
	if got := i.discovery.Load(); got != 0 {
		t.Errorf("discovery was asked %d times, want 0", got)
	}
}

// A discovery document of another issuer, or one that names keys on the open road, is not believed.
func TestDiscoveryIsChecked(t *testing.T) {
	for name, document := range map[string]string{
		"another issuer": `{"issuer": "https://other.test", "jwks_uri": "https://issuer.test/keys"}`,
		"plain http":     `{"issuer": "https://issuer.test", "jwks_uri": "http://issuer.test/keys"}`,
		"no keys":        `{"issuer": "https://issuer.test"}`,
		"no document":    `canary`,
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey(t, "ec")
			i := newIssuer(key)
			cfg := i.config()
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(r.URL.Path, "openid-configuration") {
					return i.RoundTrip(r)
				}
				return respond(document), nil
			})}
			v, err := jwt.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "discovery") {
				t.Errorf("got %v, want an error of discovery", err)
			}
			accepts(t, v, i.token(t, key, nil), false, "without keys")
			fetched(t, i, 0, "after all")
		})
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	leakcheck.Check(t)
	key := newKey(t, "ec")
	i := serve(t, key)
	v := i.verifier(t)
	for range 3 {
		accepts(t, v, i.token(t, key, nil), true, "a known key")
		accepts(t, v, i.token(t, newKey(t, "x"), nil), false, "an unknown key")
	}
}

// Tokens of unknown keys wait for the issuer, a few at a time: the others are refused at once, and
// known keys wait for nothing.
func TestFewUnknownKeysWait(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, v *jwt.Verifier, key jose.JSONWebKey) {
		i.answerWith(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(time.Minute)
		token := i.token(t, newKey(t, "unknown"), nil)
		var refused atomic.Int64
		for range 1000 {
			go func() {
				if _, err := v.Verify(context.Background(), token); err == nil {
					t.Error("a token of an unknown key was accepted")
				}
				refused.Add(1)
			}()
		}
		synctest.Wait()
		if got := refused.Load(); got != 900 {
			t.Errorf("%d of 1000 are refused at once, want 900", got)
		}
		accepts(t, v, i.token(t, key, nil), true, "a known key meanwhile")
		time.Sleep(time.Minute)
		if got := refused.Load(); got != 1000 {
			t.Errorf("%d of 1000 are refused in the end", got)
		}
	})
}
