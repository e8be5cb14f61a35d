package guide

import (
	"context"
	"log/slog"
	"time"
)

// settler settles bets again and again.
type settler struct {
	every  time.Duration
	log    *slog.Logger
	settle func(context.Context) (settled int, err error)
}

// run returns an error if a round fails. The chassis then logs it and runs the worker again.
func (s *settler) run(ctx context.Context) error {
	for ticks := time.Tick(s.every); ; {
		select {
		case <-ctx.Done(): // the service stops
			return nil
		case <-ticks:
		}
		settled, err := s.settle(ctx)
		if err != nil {
			return err
		}
		s.log.InfoContext(ctx, "bets are settled", "count", settled)
	}
}
