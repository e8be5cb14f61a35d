package chassis

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/redact"
)

// Secret holds a value that the program uses and no person should read, such as a password or a
// key. Printed, logged or marshalled, alone or inside another value, it shows as [REDACTED], or
// as nothing if it is zero. As a field of [Service].Config it is filled like a T. No page shows
// it, and no error quotes it.
//
//	type config struct {
//		Password chassis.Secret[string] `env:"DB_PASSWORD, required" help:"Of the database."`
//	}
//
//	db.Connect(cfg.Password.Reveal())
//
// The result of Reveal is not protected. The zero value reveals the zero value of T. A Secret may
// be copied and read concurrently. Copies share the value, and == reports whether two Secrets are
// copies.
type Secret[T any] struct {
	marked    //nolint:unused // what it embeds marks the type
	value  *T // a pointer: fmt prints only its address, even in fields whose methods it cannot call
}

type marked = redact.Marked //nolint:unused // an alias keeps the embedded field unexported

// Set makes value the secret. Earlier copies keep theirs.
func (s *Secret[T]) Set(value T) { s.value = &value }

// Reveal returns the value, which is not protected any more.
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

// GoString handles %#v.
func (s Secret[T]) GoString() string { return s.String() }

// Format handles the other verbs.
func (s Secret[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText masks the value for encoding/xml, flags and similar.
func (s Secret[T]) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns the mask as a string.
func (s Secret[T]) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue masks the value for log/slog.
func (s Secret[T]) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText parses a T as go-envconfig parses a variable. An empty text sets the zero Secret.
// The error does not quote the text.
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
