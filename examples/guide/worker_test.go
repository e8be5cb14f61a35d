package guide

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestSettler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // minutes pass at once
		rounds := 0
		s := &settler{every: time.Minute, log: slog.New(slog.DiscardHandler), settle: func(context.Context) (int, error) {
			if rounds++; rounds == 3 {
				return 0, errors.New("no database")
			}
			return rounds, nil
		}}
		if err := s.run(t.Context()); err == nil || rounds != 3 {
			t.Errorf("got %v after %d rounds, want an error after 3", err, rounds)
		}
	})
}
