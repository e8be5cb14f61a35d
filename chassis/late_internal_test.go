package chassis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/admin"
)

// slowSource is a source that was opened, and counts how often it is closed.
type slowSource struct{ closed int }

func (*slowSource) Identity() (*mtls.Identity, error) {
	return nil, errors.New("not asked for in the test")
}

func (s *slowSource) Close() error { s.closed++; return nil }

// A source that is opened by a step which the stop has left behind is closed when it comes, and one
// that came in time is closed by the stop.
func TestSourceIsClosedWheneverItComes(t *testing.T) {
	t.Parallel()
	var late, early identity
	if err := late.close(); err != nil {
		t.Fatal(err)
	}
	lateSource, earlySource := new(slowSource), new(slowSource)
	if err := late.use(lateSource, nil); err == nil || lateSource.closed != 1 || late.source != nil {
		t.Errorf("the late one: got %v, closed %d times and in use: %t", err, lateSource.closed, late.source != nil)
	}
	if err := early.use(earlySource, nil); err != nil || earlySource.closed != 0 {
		t.Errorf("the early one: got %v, closed %d times before the stop", err, earlySource.closed)
	}
	if err := early.close(); err != nil || earlySource.closed != 1 {
		t.Errorf("the early one: got %v, closed %d times by the stop", err, earlySource.closed)
	}
}

// The same for the admin port.
func TestAdminPortIsClosedWheneverItComes(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &httpServer{Server: &http.Server{ReadHeaderTimeout: time.Minute}, listener: listener, done: make(chan error, 1)}
		var port adminPort
		if late {
			port.close()
		}
		err = port.serve(server, admin.New(admin.Config{Service: "test", Logger: slog.New(slog.DiscardHandler)}), nil)
		if (err != nil) != late {
			t.Errorf("late is %t, and serve returned %v", late, err)
		}
		port.close()
		if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String()); err == nil {
			t.Errorf("late is %t, and the port is open", late)
		}
	}
}

// Steps that were taken before there was a log are logged when there is one, each once.
func TestStepsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var told []Step
	life := newLifecycle(time.Now(), func(e Event) { told = append(told, e.Step) })
	life.emit(Configured, "", nil)
	var out strings.Builder
	settled := 0
	life.useLog(slog.New(slog.NewTextHandler(&out, nil)), func() { settled++ })
	life.emit(TelemetryStarted, "", nil)
	for _, step := range []Step{Configured, TelemetryStarted} {
		if n := strings.Count(out.String(), "step="+string(step)+" "); n != 1 {
			t.Errorf("%s is logged %d times:\n%s", step, n, out.String())
		}
	}
	if len(told) != 2 || len(life.soFar()) != 2 || settled != 2 {
		t.Errorf("told %v, kept %v, settled %d times; want two of each", told, life.soFar(), settled)
	}
}

// A step that hangs while the stop is asked for is left behind, and its failure says so.
func TestStepIsLeftBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release := make(chan struct{})
	defer close(release)
	step := startStep{SetUp, func(context.Context) (string, error) { <-release; return "", nil }, "setting up the service"}
	_, err := step.run(ctx, slog.New(slog.DiscardHandler), func(context.Context) time.Duration { return 0 })
	if _, left := errors.AsType[leftBehindError](err); !left || failedStep(ctx, step, err) == nil {
		t.Errorf("got %v, want a step that was left behind", err)
	}
}
