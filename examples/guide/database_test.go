package guide

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// away is the driver of a database that cannot be reached.
type away struct{}

func (away) Open(string) (driver.Conn, error) { return nil, errors.New("no route to the database") }

func TestServiceIsNotReadyWithoutItsDatabase(t *testing.T) {
	sql.Register("away", away{})
	var cfg databaseConfig
	svc := chassistest.Begin(t, chassis.Service{Name: "tote", Config: &cfg, Setup: func(_ context.Context, app *chassis.App) error {
		s, err := openStore(app, "away", cfg)
		if err != nil {
			return err
		}
		app.HandlePublic("GET /bets/{bet}/owner", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			owner, err := s.owner(r.Context(), r.PathValue("bet"))
			if err != nil {
				http.Error(w, "no answer", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(w, owner)
		}))
		return nil
	}}, chassistest.Options{Env: map[string]string{"DATABASE_URL": "host=db password=secret"}})
	svc.WaitFor(chassis.HealthChecked)
	if up := svc.Metric("chassis_health_check_up", "check", "database"); up != 0 {
		t.Errorf("the check is up: %v", up)
	}
	answer, err := svc.HTTP().Get("http://rest/bets/7/owner")
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %s, want 503", answer.Status)
	}
}
