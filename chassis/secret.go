package chassis

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/redact"
)

// Secret holds a value that is to be used and never to be read by people: a password, a key. However it is printed, logged
// or marshalled, alone or within something else, [REDACTED] stands in its place, and nothing where it is zero. As a field of
// [Service].Config it is filled as a T would be, and is shown by no page and quoted by no error.
//
//	type config struct {
//		Password chassis.Secret[string] `env:"DB_PASSWORD, required" help:"Of the database."`
//	}
//
// What Reveal returns is no secret any more to whoever prints it. The zero value reveals the zero value of T. A Secret may
// be copied, and read concurrently; copies share the value. == compares whether two are copies.
type Secret[T any] struct {
	marked    //nolint:unused // what it embeds marks the type
	value  *T // a pointer, because fmt prints what it points to nowhere below the top, even in fields it may not call methods of
}

type marked = redact.Marked //nolint:unused // an alias keeps the embedded field unexported

// Set makes value the secret. Copies that were made before keep theirs.
func (s *Secret[T]) Set(value T) { s.value = &value }

// Reveal returns the value.
func (s Secret[T]) Reveal() T {
	if s.value == nil {
		var zero T
		return zero
	}
	return *s.value
}

func (s Secret[T]) String() string {
	if s.value == nil {
		return ""
	}
	return redact.Mask
}

// GoString is for %#v.
func (s Secret[T]) GoString() string { return s.String() }

// Format is for every other verb.
func (s Secret[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is for encoding/xml, flags and their like.
func (s Secret[T]) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns a string.
func (s Secret[T]) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue is for log/slog.
func (s Secret[T]) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText reads a T as go-envconfig does from a variable. An empty text is the zero Secret. The error does not quote
// the text.
func (s *Secret[T]) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		s.value = nil
		return nil
	}
	var target struct {
		Value T `env:"VALUE"`
	}
	lookup := envconfig.MapLookuper(map[string]string{"VALUE": string(text)})
	if err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &target, Lookuper: lookup}); err != nil {
		return fmt.Errorf("chassis: the secret is not a valid %T", target.Value)
	}
	s.value = &target.Value
	return nil
}
