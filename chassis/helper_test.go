package chassis_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// env is the environment of a service in a test.
type env = map[string]string

// echoes is a service that serves impl by gRPC and REST, with further registrations.
func echoes(impl *echo.Service, more ...func(*chassis.App)) chassis.Service {
	return chassis.Service{Name: "echo", Setup: func(ctx context.Context, app *chassis.App) error {
		app.RegisterService(&echo.Desc, impl)
		for _, register := range more {
			register(app)
		}
		app.Gateway(ctx, echo.RegisterGateway)
		return nil
	}}
}

// setsUp is a service that serves nothing of its own, and has a worker because a service does
// something.
func setsUp(setup func(*chassis.App)) chassis.Service {
	return chassis.Service{Name: "bare", Setup: func(_ context.Context, app *chassis.App) error {
		setup(app)
		app.Go("idle", untilStop)
		return nil
	}}
}

func untilStop(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func start(t *testing.T, service chassis.Service, settings env) *chassistest.Running {
	t.Helper()
	return chassistest.Start(t, service, chassistest.Options{Env: settings})
}

// startError expects the start of service to fail, and returns why.
func startError(t *testing.T, service chassis.Service, settings env) string {
	t.Helper()
	_, err := chassistest.TryStart(t, service, chassistest.Options{Env: settings})
	if err == nil {
		t.Fatal("the service started, want an error")
	}
	return err.Error()
}

// expectAll expects text to have every part.
func expectAll(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%.2000s", part, text)
		}
	}
}

func steps(events []chassis.Event) []chassis.Step {
	var taken []chassis.Step
	for _, e := range events {
		taken = append(taken, e.Step)
	}
	return taken
}

func expectSteps(t *testing.T, got []chassis.Event, want ...[]chassis.Step) {
	t.Helper()
	if all := slices.Concat(want...); !slices.Equal(steps(got), all) {
		t.Errorf("got the steps\n%q\nwant\n%q", steps(got), all)
	}
}

// reply is an HTTP answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

func do(t *testing.T, client *http.Client, method, url, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	return send(t, client, req)
}

func send(t *testing.T, client *http.Client, req *http.Request) reply {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(answer)}
}

// await returns what comes by ch, and fails the test, instead of hanging, where nothing does.
func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("never happened: %s", what)
		panic("unreachable")
	}
}

// eventually waits until done reports true, and fails the test, instead of hanging, where it never
// does. It is for what has no event to wait for, such as what the other end of a socket has seen.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // bounded, and between looks at sockets, which no bubble has
	}
}

func newGauge(name string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "Of a test."})
}
