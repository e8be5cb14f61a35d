package chassis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
)

const hunter2 = "hunter2-hunter2"

func secretOf[T any](value T) (s chassis.Secret[T]) {
	s.Set(value)
	return s
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := secretOf(hunter2)
	within := struct {
		Public  chassis.Secret[string]
		private chassis.Secret[string]
		bytes   chassis.Secret[[]byte]
		inner   *struct{ s chassis.Secret[string] }
		list    []chassis.Secret[string]
		by      map[string]chassis.Secret[string]
		any     any
	}{s, s, secretOf([]byte(hunter2)), &struct{ s chassis.Secret[string] }{s}, []chassis.Secret[string]{s}, map[string]chassis.Secret[string]{"a": s}, s}
	for _, v := range []any{s, &s, within, &within, []any{s}, errors.Join(fmt.Errorf("of %v and %s", s, s))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10v", "%-5s", "%p"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "hunter") || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", hunter2)) {
				t.Errorf("%s of %T: %s", verb, v, got)
			}
		}
		raw, err := json.Marshal(v)
		if err != nil || bytes.Contains(raw, []byte("hunter")) {
			t.Errorf("JSON: %s, %v", raw, err)
		}
	}
	if raw, err := xml.Marshal(secretConfig{Word: s}); err != nil || bytes.Contains(raw, []byte("hunter")) {
		t.Errorf("XML: %s, %v", raw, err)
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "a", s, "b", &s, "c", within, slog.Group("g", "d", s))
	}
	if strings.Contains(log.String(), "hunter") || !strings.Contains(log.String(), "[REDACTED]") {
		t.Errorf("logged %s", &log)
	}
}

func TestSecretReveals(t *testing.T) {
	t.Parallel()
	var zero chassis.Secret[string]
	if got := zero.Reveal(); got != "" || zero.String() != "" || fmt.Sprint(zero) != "" {
		t.Errorf("the zero value reveals %q and prints %q", got, zero)
	}
	if got := secretOf(hunter2).Reveal(); got != hunter2 {
		t.Errorf("got %q", got)
	}
}

type secretConfig struct {
	Word     chassis.Secret[string]        `env:"WORD" help:"A word."`
	Number   chassis.Secret[int]           `env:"NUMBER"`
	Pause    chassis.Secret[time.Duration] `env:"PAUSE, default=5s"`
	List     chassis.Secret[[]string]      `env:"LIST"`
	Unset    chassis.Secret[string]        `env:"UNSET"`
	Password string                        `env:"DB_PASSWORD"`
}

func TestSecretSettings(t *testing.T) {
	t.Parallel()
	var cfg secretConfig
	service := setsUp(func(*chassis.App) {})
	service.Config = &cfg
	svc := start(t, service, env{"WORD": hunter2, "NUMBER": "471147114711", "LIST": "hunter-a,hunter-b", "DB_PASSWORD": hunter2})
	if cfg.Word.Reveal() != hunter2 || cfg.Number.Reveal() != 471147114711 || cfg.Pause.Reveal() != 5*time.Second ||
		len(cfg.List.Reveal()) != 2 || cfg.Unset.Reveal() != "" {
		t.Errorf("got %q, %d, %s, %q and %q", cfg.Word.Reveal(), cfg.Number.Reveal(), cfg.Pause.Reveal(), cfg.List.Reveal(), cfg.Unset.Reveal())
	}
	for _, path := range []string{"/debug/", "/debug/config", "/debug/status.json"} {
		got := do(t, svc.HTTP(), "GET", "http://admin"+path, "").body
		if strings.Contains(got, "hunter") || strings.Contains(got, "471147114711") {
			t.Errorf("%s shows a secret", path)
		}
		expectAll(t, got, "WORD", "••••••")
	}
}

func TestWrongSecretSettingIsNotQuoted(t *testing.T) {
	t.Parallel()
	service := chassis.Service{Name: "bare", Config: new(secretConfig), Setup: func(context.Context, *chassis.App) error { return nil }}
	got := startError(t, service, env{"NUMBER": hunter2})
	if strings.Contains(got, "hunter") || !strings.Contains(got, "NUMBER: its value is not a valid") {
		t.Errorf("got %s", got)
	}
}
