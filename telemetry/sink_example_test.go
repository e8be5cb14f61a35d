package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	slogmulti "github.com/samber/slog-multi"

	"github.com/betmakers/paddock/telemetry"
)

// Bets go to a file of their own, errors to a tracker, and to a second one where the first fails.
// All of it stands on standard output too.
func ExampleSink() {
	var bets, tracker bytes.Buffer // a file and a client, elsewhere
	ctx := context.Background()
	tel, err := telemetry.Start(ctx, telemetry.Config{
		Service: "wallet", LogFormat: "json", Output: io.Discard,
		Sinks: []telemetry.Sink{
			{
				Name: "bets",
				Handler: slogmulti.Router().
					Add(slog.NewJSONHandler(withoutTime{&bets}, nil), slogmulti.AttrValueIs("kind", "bet")).
					Handler(),
				Close: func(context.Context) error { return nil }, // the file's
			},
			{
				Name: "tracker", Level: slog.LevelError,
				Handler: slogmulti.Failover()(unreachable{}, slog.NewJSONHandler(withoutTime{&tracker}, nil)),
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := tel.Logger()
	log.Info("signed in", "user", "ada")
	log.Info("placed", "kind", "bet", "stake", 250, "token", "tok-17")
	log.Error("settlement failed", "race", "R4")
	if err := tel.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	_, _ = bets.WriteTo(os.Stdout)
	_, _ = tracker.WriteTo(os.Stdout)
	// Output:
	// {"level":"INFO","msg":"placed","kind":"bet","stake":250,"token":"[REDACTED]"}
	// {"level":"ERROR","msg":"settlement failed","race":"R4"}
}

// unreachable is the handler of a tracker that is down.
type unreachable struct{ slog.Handler }

func (unreachable) Enabled(context.Context, slog.Level) bool { return true }
func (unreachable) Handle(context.Context, slog.Record) error {
	return errors.New("connection refused")
}
func (u unreachable) WithAttrs([]slog.Attr) slog.Handler { return u }
func (u unreachable) WithGroup(string) slog.Handler      { return u }
