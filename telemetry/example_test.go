package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/betmakers/paddock/telemetry"
)

func ExampleStart() {
	ctx := context.Background()
	tel, err := telemetry.Start(ctx, telemetry.Config{
		Service: "wallet", LogFormat: "json",
		Output: withoutTime{os.Stdout}, // so that the example has the same output every time
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tel.Logger().InfoContext(ctx, "signed in", "user", "ada", "password", "swordfish")
	tel.Level().Set(slog.LevelWarn)
	tel.Logger().InfoContext(ctx, "not seen")
	tel.Logger().WarnContext(ctx, "refused", "header", http.Header{"Authorization": {"Bearer 123"}, "Accept": {"*/*"}})

	if err := tel.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"level":"INFO","msg":"signed in","user":"ada","password":"[REDACTED]"}
	// {"level":"WARN","msg":"refused","header":{"Accept":["*/*"],"Authorization":"[REDACTED]"}}
}

func ExampleCatalogue() {
	for _, m := range telemetry.Catalogue() {
		if m.Name == "chassis_log_lines_dropped_total" {
			fmt.Println(m.Type, m.Help)
		}
	}
	// Output:
	// counter Log lines that were lost because the sink was too slow or returned an error.
}
