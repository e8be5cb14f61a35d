package chassistest_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

func TestRollingRestart(t *testing.T) { // alone, as it is a load
	chassistest.RollingRestart(t, service, chassistest.RestartOptions{Call: say, Request: postSay})
}

func say(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := echo.Say(ctx, conn, "hi")
	return err
}

func postSay(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost, "http://rest/v1/say", strings.NewReader(`"hi"`))
}

// shortLag is for tests of the test.
const shortLag = 300 * time.Millisecond

func TestRollingRestartOfAServiceWithoutREST(t *testing.T) {
	t.Parallel()
	plain := func() chassis.Service {
		return chassis.Service{Name: "plain", Setup: func(_ context.Context, app *chassis.App) error {
			app.RegisterService(&echo.Desc, &echo.Service{})
			return nil
		}}
	}
	chassistest.RollingRestart(t, plain, chassistest.RestartOptions{Lag: shortLag})
}

// A replica that does not wait for the endpoints to follow is found out by the clients that
// connect.
func TestRollingRestartFailsForLostCalls(t *testing.T) {
	t.Parallel()
	errs := new(fakeTB).run(func(t testing.TB) {
		chassistest.RollingRestart(t, service, chassistest.RestartOptions{
			Options: chassistest.Options{Env: map[string]string{"CHASSIS_DRAIN_DELAY": "0s"}}, Call: say, Request: postSay, Lag: shortLag,
		})
	})
	text := strings.Join(errs, "\n")
	if strings.Contains(text, "cannot tell whether the service loses calls") {
		return // the machine stands still too often: a failure, and never a pass
	}
	named := regexp.MustCompile(`made \+\d\.\d{3}s from the signal to replica [123], failed after \w`)
	if !strings.Contains(text, "gRPC by a new connection: ") || !named.MatchString(text) || !strings.Contains(text, "connection refused") {
		t.Errorf("no call is named with its time and error, in:\n%s", text)
	}
}

// What a service itself loses is found as well.
func TestRollingRestartFailsForAServiceThatRefusesWhileItLeaves(t *testing.T) {
	t.Parallel()
	hasty := func() chassis.Service {
		leaving := make(chan struct{})
		return chassis.Service{
			Name: "hasty",
			OnEvent: func(e chassis.Event) {
				if e.Step == chassis.ReadinessOff {
					close(leaving)
				}
			},
			Setup: func(_ context.Context, app *chassis.App) error {
				app.RegisterService(&echo.Desc, &echo.Service{OnSay: func(_ context.Context, text string) (string, error) {
					select {
					case <-leaving:
						return "", &chassis.Error{Reason: "LEAVING", Domain: "hasty"}
					default:
						return text, nil
					}
				}})
				return nil
			},
		}
	}
	errs := new(fakeTB).run(func(t testing.TB) {
		chassistest.RollingRestart(t, hasty, chassistest.RestartOptions{Call: say, Lag: shortLag})
	})
	for _, kind := range []string{"gRPC by one connection", "gRPC by App.Dial", "gRPC by a new connection"} {
		text := strings.Join(errs, "\n")
		if strings.Contains(text, "cannot tell whether the service loses calls") {
			return // as above
		}
		if !strings.Contains(text, kind) {
			t.Errorf("%s lost nothing, in:\n%s", kind, text)
		}
	}
}
