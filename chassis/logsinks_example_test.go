package chassis_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	slogmulti "github.com/samber/slog-multi"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/telemetry"
)

// The records of one kind go to a file of their own, and stay on standard output.
func ExampleService_logSinks() {
	folder, err := os.MkdirTemp("", "tote")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "bets.log")

	var cfg struct {
		BetLog string `env:"BET_LOG" help:"File that bets are logged to, one JSON object a line."`
	}
	svc := chassistest.Start(nil, chassis.Service{
		Name:   "tote",
		Config: &cfg,
		LogSinks: func(context.Context) ([]telemetry.Sink, error) {
			file, err := os.OpenFile(cfg.BetLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			return []telemetry.Sink{{
				Name: "bets",
				Handler: slogmulti.Router().
					Add(withoutTime(file), slogmulti.AttrValueIs("kind", "bet")).
					Handler(),
				Close: func(context.Context) error { return file.Close() },
			}}, nil
		},
		Setup: func(_ context.Context, app *chassis.App) error {
			bets := app.Logger().With("kind", "bet")
			app.HandlePublic("POST /bets", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				bets.Info("placed", "race", "R4", "stake", 250, "token", "tok-17")
				app.Logger().Info("not a bet")
			}))
			return nil
		},
	}, chassistest.Options{Env: map[string]string{"BET_LOG": path}})

	answer, err := svc.HTTP().Post("http://rest/bets", "", http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer.Body.Close()
	svc.Stop() // the sink has every record then
	logged, err := os.ReadFile(path)
	fmt.Print(string(logged))
	fmt.Println("error:", err)
	// Output:
	// {"level":"INFO","msg":"placed","kind":"bet","race":"R4","stake":250,"token":"[REDACTED]"}
	// error: <nil>
}

// withoutTime is slog.NewJSONHandler(w, nil), but has the same output every time.
func withoutTime(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}
