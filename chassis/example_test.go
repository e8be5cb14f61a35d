package chassis_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

// A service is a value; main would hand it to chassis.Main, which runs it until a signal.
func ExampleRun() {
	ctx, stop := context.WithCancel(context.Background())
	service := chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.HandlePublic("GET /odds/{race}", http.HandlerFunc(odds))
			app.OnStop("database", func(context.Context) error {
				fmt.Println("database closed")
				return nil
			})
			return nil
		},
		OnEvent: func(e chassis.Event) {
			fmt.Println(e.Step)
			if e.Step == chassis.Ready {
				stop()
			}
		},
	}
	fmt.Println("error:", chassis.Run(surroundings(ctx), service))
	// Output:
	// configured
	// telemetry_started
	// identity_ready
	// admin_listening
	// set_up
	// ports_bound
	// workers_started
	// health_checked
	// ready
	// stop_requested
	// readiness_off
	// drain_delay_over
	// streams_told
	// calls_finished
	// database closed
	// workers_stopped
	// telemetry_flushed
	// admin_closed
	// stopped
	// error: <nil>
}

func odds(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintln(w, r.PathValue("race"), "3/1") }

// surroundings keep the example from the environment, the standard output and the fixed ports of its machine.
func surroundings(ctx context.Context) context.Context {
	return harness.With(ctx, &harness.Harness{
		Environ: []string{"CHASSIS_ENVIRONMENT=development", "CHASSIS_MTLS=off"}, Output: io.Discard,
		Listen: func(ctx context.Context, _, _ string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
		},
	})
}
