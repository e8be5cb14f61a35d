package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/betmakers/paddock/telemetry"
)

// BenchmarkLogger is a record of App.Logger() with five attributes, from the call to the buffer of
// standard output.
func BenchmarkLogger(b *testing.B) {
	for name, handlers := range map[string][]slog.Handler{
		"standard output": nil, "and one": {slog.NewJSONHandler(io.Discard, nil)},
		"and two": {slog.NewJSONHandler(io.Discard, nil), slog.DiscardHandler},
	} {
		for where, ctx := range map[string]context.Context{"": context.Background(), ", traced": inSpan(context.Background())} {
			b.Run(name+where, func(b *testing.B) {
				tel := start(b, telemetry.Config{Output: io.Discard, LogHandlers: handlers})
				log := tel.Logger().With("service", "wallet")
				b.ReportAllocs()
				for b.Loop() {
					log.InfoContext(ctx, "bet placed", "bet", "b-17", "stake", 250, "market", "m-4", "ok", true)
				}
			})
		}
	}
}
