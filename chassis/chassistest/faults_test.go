package chassistest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// What a service makes of a dependency that fails: here it answers without it.
func TestDependencyThatFails(t *testing.T) {
	dependency := chassistest.Start(t, service(), chassistest.Options{Env: map[string]string{
		"CHASSIS_FAULTS": `{"method": "*/Say", "peer": "front", "abort": "INTERNAL"}`,
	}})
	front := chassistest.Start(t, frontOf("echo"), chassistest.Options{Peers: map[string]*chassistest.Running{"echo": dependency}})

	got, err := echo.Say(t.Context(), front.ConnAs("web"), "hi")
	if err != nil || got != "alone: INTERNAL" {
		t.Errorf("got %q, %v", got, err)
	}
	if n := dependency.Metric("chassis_faults_injected_total", "fault", "abort"); n != 1 {
		t.Errorf("%v faults were injected, want 1", n)
	}
	if got, err := echo.Say(t.Context(), dependency.ConnAs("another"), "hi"); err != nil {
		t.Errorf("another caller: got %q, %v", got, err)
	}
}

// frontOf is a service that asks another, and does without it.
func frontOf(name string) chassis.Service {
	return chassis.Service{Name: "front", Setup: func(ctx context.Context, app *chassis.App) error {
		conn, err := app.Dial(ctx, name)
		if err != nil {
			return err
		}
		app.RegisterService(&echo.Desc, &echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
			answer, err := echo.Say(ctx, conn, text)
			var failed *chassis.Error
			if errors.As(err, &failed) && failed.Code == codes.Internal {
				return "alone: INTERNAL", nil
			}
			return fmt.Sprintf("%s by way of front", answer), err
		}})
		return nil
	}}
}
