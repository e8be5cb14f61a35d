package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/health"
)

// A worker runs beside the calls. Its context ends when the last call has: then it has time to put
// away what it holds.
func ExampleApp_Go() {
	bets := make(chan string)
	svc := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.Go("settle", func(ctx context.Context) error {
				for {
					select {
					case bet := <-bets:
						fmt.Println("settled", bet)
					case <-ctx.Done():
						fmt.Println("books closed")
						return nil // for good: an error would have it started again
					}
				}
			})
			return nil
		},
	}, chassistest.Options{})
	bets <- "bet 7"
	svc.Stop()
	// Output:
	// settled bet 7
	// books closed
}

// The service is ready while what it cannot do without is there. A check that is soft is seen, and
// holds nothing back.
func ExampleApp_Health() {
	svc := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.HandlePublic("GET /odds/{race}", http.HandlerFunc(odds))
			app.Health(health.Check{Name: "database", Probe: func(context.Context) error {
				return errors.New("connection refused") // as sql.DB.PingContext may
			}})
			app.Health(health.Check{Name: "odds-feed", Soft: true, Probe: func(context.Context) error {
				return errors.New("no odds for 30 s")
			}})
			return nil
		},
	}, chassistest.Options{})
	defer svc.Stop()

	answer, err := svc.HTTP().Get("http://admin/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	io.Copy(os.Stdout, answer.Body)
	// Output:
	// 503 Service Unavailable
	// [+]serving ok
	// [-]database failing
	// [-]odds-feed failing (soft)
	// readyz check failed
}

// A stream without an end of its own ends when the service begins to stop. Its client has time to
// go on with another instance, and is not cut off.
func ExampleDraining() {
	svc := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(_ context.Context, app *chassis.App) error {
			app.HandlePublic("GET /odds", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, "R4 3/1")
				http.NewResponseController(w).Flush()
				select {
				case <-chassis.Draining(r.Context()):
					fmt.Fprintln(w, "ask again")
				case <-r.Context().Done(): // the client has gone
				}
			}))
			return nil
		},
	}, chassistest.Options{})
	defer svc.Stop()

	answer, err := svc.HTTP().Get("http://rest/odds")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	svc.RequestStop()
	io.Copy(os.Stdout, answer.Body)
	// Output:
	// R4 3/1
	// ask again
}
