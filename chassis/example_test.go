package chassis_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// The whole main of a service. Main runs it until a signal, and has the flags -help, which prints
// every setting, -check-config and -version.
func ExampleMain() {
	chassis.Main(context.Background(), chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.HandlePublic("GET /odds/{race}", http.HandlerFunc(odds))
			return nil
		},
	})
}

// Run is Main without the process: a context ends it, and every step of the way is an event.
func ExampleRun() {
	for name, value := range map[string]string{ // so that the example needs nothing of its machine
		"CHASSIS_ENVIRONMENT": "development", "CHASSIS_MTLS": "off", "CHASSIS_LOG_LEVEL": "ERROR",
		"CHASSIS_GRPC_ADDR": "127.0.0.1:0", "CHASSIS_HTTP_ADDR": "127.0.0.1:0", "CHASSIS_ADMIN_ADDR": "127.0.0.1:0",
	} {
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}
	ctx, stop := context.WithCancel(context.Background())
	err := chassis.Run(ctx, chassis.Service{
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
	})
	fmt.Println("error:", err)
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

func odds(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.PathValue("race"), "3/1") }

// A route is as closed as a method: open to the callers that it names, and where it names none, to
// the services of the own trust domain. HandlePublic opens one to everybody.
func ExampleApp_Handle() {
	svc := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.Handle("GET /odds/{race}", http.HandlerFunc(odds), "web", "bookmaker-*")
			return nil
		},
	}, chassistest.Options{Env: map[string]string{"CHASSIS_HTTP_TLS": "true"}}) // as in production
	defer svc.Stop()

	for _, caller := range []string{"web", "bookmaker-7", "mail"} {
		answer, err := svc.HTTPAs(caller).Get("https://rest/odds/R4")
		if err != nil {
			fmt.Println(err)
			return
		}
		answer.Body.Close()
		fmt.Println(caller, answer.Status)
	}
	// Output:
	// web 200 OK
	// bookmaker-7 200 OK
	// mail 403 Forbidden
}

// A third party is called with the context of the request that it is called for: then its call is
// in the same trace, and ends in time for an answer.
func ExampleApp_HTTPClient() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "paid")
	}))
	defer provider.Close()

	svc := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			payments := app.HTTPClient("payments")
			app.HandlePublic("GET /bets/7", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, provider.URL, http.NoBody)
				if err != nil {
					http.Error(w, "no request", http.StatusInternalServerError)
					return
				}
				answer, err := payments.Do(request)
				if err != nil {
					http.Error(w, "no answer", http.StatusBadGateway)
					return
				}
				defer answer.Body.Close()
				io.Copy(w, io.LimitReader(answer.Body, 1<<10)) // the chassis sets no limit
			}))
			return nil
		},
	}, chassistest.Options{})
	defer svc.Stop()

	answer, err := svc.HTTP().Get("http://rest/bets/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
	fmt.Println(svc.Metric("http_client_request_duration_seconds", "server_address", "payments"))
	// Output:
	// paid
	// 1
}
