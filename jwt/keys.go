package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxAge = 15 * time.Minute // keys that are older are fetched again
	pause  = 10 * time.Second // between the beginnings of two fetches

	// mostWaiting is the number of tokens with unknown keys that wait for a fetch while other
	// keys are known. Further ones are rejected at once. A slow issuer answers in a second, and
	// at first few tokens have a new key, while guesses are many.
	mostWaiting = 100
)

var (
	errSignature  = errors.New("jwt: the token's signature is not that of its key")
	errType       = errors.New("jwt: the typ of the token's header is none of JWT_TYPES: it was made for something else")
	errCrowd      = errors.New("jwt: too many tokens of unknown keys wait for the issuer's keys")
	errUnknownKey = errors.New("jwt: the issuer publishes no key for the token; a key so new that it is not known yet is looked for 10 s after the last time")
)

// keySet has the keys of an issuer, and fetches them when needed.
type keySet struct {
	fetch      func(context.Context) ([]jose.JSONWebKey, error)
	algorithms []jose.SignatureAlgorithm
	types      []string

	mu      sync.Mutex
	keys    []jose.JSONWebKey // replaced, never changed
	fetched time.Time         // when they were
	tried   time.Time         // the beginning of the last fetch
	err     error             // its end
	flight  chan struct{}     // closed when the fetch under way ends; nil where there is none
	waiting int               // for it
}

func newKeySet(fetch func(context.Context) ([]jose.JSONWebKey, error), algorithms []jose.SignatureAlgorithm, types []string) *keySet {
	return &keySet{fetch: fetch, algorithms: algorithms, types: types}
}

// verify returns the type and payload of a token that has an accepted type and a signature by one
// of the keys.
func (s *keySet) verify(ctx context.Context, token string) (typ string, payload []byte, err error) {
	jws, err := jose.ParseSignedCompact(token, s.algorithms)
	if err != nil {
		return "", nil, errMalformed
	}
	if typ, err = s.typeOf(jws.Signatures[0].Protected); err != nil {
		return "", nil, err
	}
	payload, err = verifyWith(s.known(), jws)
	if !errors.Is(err, errUnknownKey) {
		return typ, payload, err
	}
	if err := s.refresh(ctx); err != nil {
		return "", nil, err
	}
	payload, err = verifyWith(s.known(), jws)
	return typ, payload, err
}

// typeOf returns the type in a token's header, normalized by the function typeOf.
func (s *keySet) typeOf(header jose.Header) (string, error) {
	typ := noType
	if named, ok := header.ExtraHeaders[jose.HeaderType]; ok {
		text, ok := named.(string)
		if typ = typeOf(text); !ok || typ == noType || typ == "" {
			return "", errType
		}
	}
	if !slices.Contains(s.types, typ) {
		return "", errType
	}
	return typ, nil
}

// verifyWith tries the keys that may have signed a token. If the token names a key, only that key
// is tried.
func verifyWith(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, error) {
	header := jws.Signatures[0].Protected
	err := errUnknownKey
	for i := range keys {
		key := &keys[i]
		if header.KeyID != "" && header.KeyID != key.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, wrong := jws.Verify(key); wrong == nil {
			return payload, nil
		}
		if header.KeyID != "" {
			err = errSignature
		}
	}
	return nil, err
}

// known returns the keys, and starts a fetch if they are old, without waiting for it.
func (s *keySet) known() []jose.JSONWebKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) > 0 && time.Since(s.fetched) > maxAge {
		s.start(context.Background())
	}
	return s.keys
}

// begin starts the first fetch, which ends with ctx.
func (s *keySet) begin(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start(ctx)
}

// check returns nil if keys are known, or after a fetch has got some.
func (s *keySet) check(ctx context.Context) error {
	if len(s.known()) > 0 {
		return nil
	}
	return s.refresh(ctx)
}

// refresh waits for a fetch, unless it is too early for one. The fetch does not end with the
// caller's context, because others may wait for it too.
func (s *keySet) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flight := s.start(context.Background()); flight != nil {
		if len(s.keys) > 0 && s.waiting >= mostWaiting {
			return errCrowd
		}
		if !s.wait(ctx, flight) {
			return errors.New("jwt: the call ended before the issuer's keys came")
		}
	}
	if s.err != nil {
		return fmt.Errorf("jwt: the issuer's keys cannot be fetched: %w", s.err)
	}
	return nil
}

// wait reports whether a fetch has ended before ctx. The caller holds s.mu, which is released
// during the wait.
func (s *keySet) wait(ctx context.Context, flight <-chan struct{}) bool {
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
	}()
	select {
	case <-flight:
		return true
	case <-ctx.Done():
		return false
	}
}

// start returns a channel that is closed when the running fetch ends. It starts a fetch if none
// runs, and returns nil if it is too early for one. The caller holds s.mu.
func (s *keySet) start(ctx context.Context) <-chan struct{} {
	if s.flight != nil {
		return s.flight
	}
	if !s.tried.IsZero() && time.Since(s.tried) < pause {
		return nil
	}
	s.tried, s.flight = time.Now(), make(chan struct{})
	go s.run(ctx) // ends by itself, fetchTimeout later at most
	return s.flight
}

func (s *keySet) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.keys, s.fetched = keys, time.Now()
	}
	close(s.flight)
	s.flight = nil
}
