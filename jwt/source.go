package jwt

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTimeout = 5 * time.Second // discovery included
	maxAnswer    = 1 << 20
	maxKeys      = 100
)

// source is the address of an issuer's keys.
type source struct {
	issuer, url string // url may be empty
	client      *http.Client
}

func newSource(cfg Config) source {
	client := http.Client{}
	if cfg.HTTPClient != nil {
		client = *cfg.HTTPClient
	}
	if client.Transport == nil {
		// A connection would be useless by the next fetch, minutes later.
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	client.Transport = guard{client.Transport}
	return source{issuer: cfg.Issuer, url: cfg.JWKSURL, client: &client}
}

// fetch returns the keys that the issuer publishes now: at least one, all public and for
// signatures.
func (s source) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	url, err := s.locate(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return keys, nil
}

// locate asks the issuer for the address of its keys. It does so for each fetch, because the
// address may change.
func (s source) locate(ctx context.Context) (string, error) {
	if s.url != "" {
		return s.url, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), s.issuer)
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	var metadata struct {
		JWKSURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	if err := checkURL(metadata.JWKSURL); err != nil {
		return "", fmt.Errorf("discovery: jwks_uri: %w", err)
	}
	return metadata.JWKSURL, nil
}

// leastRSA is the length in bits of the shortest accepted RSA key, as in RFC 7518, sections 3.3
// and 3.5.
const leastRSA = 2048

// parseKeys parses a JSON Web Key Set. It ignores keys of unknown kinds, as RFC 7517 requires,
// and keys that are short, are not public or are not for signatures.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the answer is not a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys; %d are expected at most", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	tooShort := 0
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) != nil || key.Use == "enc" || !key.Valid() || !key.IsPublic() {
			continue
		}
		if short(key) {
			tooShort++
			continue
		}
		keys = append(keys, key)
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case tooShort > 0:
		return nil, fmt.Errorf("the key set has only RSA keys of less than %d bits", leastRSA)
	default:
		return nil, errors.New("the key set has no public key for signatures")
	}
}

func short(key jose.JSONWebKey) bool {
	public, ok := key.Key.(*rsa.PublicKey)
	return ok && public.N.BitLen() < leastRSA
}

// guard limits the size of answers. An unexpected answer, including a redirect, is an error
// without the issuer's text.
type guard struct{ next http.RoundTripper }

// RoundTrip sends one request.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("the answer is %d, expected 200", response.StatusCode)
	}
	response.Body = limited{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

type limited struct {
	io.Reader
	io.Closer
}
