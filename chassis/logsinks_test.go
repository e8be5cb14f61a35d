package chassis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/harness"
	"github.com/betmakers/paddock/telemetry"
)

// explosive is a value that panics when it is logged.
type explosive struct{}

func (explosive) LogValue() slog.Value { panic("broken") }

// fragile panics at each record.
type fragile struct{ slog.Handler }

func (fragile) Handle(context.Context, slog.Record) error { panic("broken too") }
func (f fragile) WithAttrs([]slog.Attr) slog.Handler      { return f }
func (f fragile) WithGroup(string) slog.Handler           { return f }

// A sink has each line that the service logs: those of its start, the access log and its own. What
// a value or another sink does wrong costs neither a line nor a call, and the end closes the sinks.
func TestLogSinksGetEveryLine(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer // of one goroutine until the service has ended
	closed := make(chan struct{})
	fallen := slog.NewJSONHandler(&bytes.Buffer{}, nil)
	var cfg struct {
		Sink string `env:"SINK"`
	}
	var svcLog *slog.Logger
	impl := &echo.Service{}
	service := echoes(impl, func(app *chassis.App) { svcLog = app.Logger() })
	service.Config = &cfg
	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) {
		return []telemetry.Sink{
			{Name: cfg.Sink, Handler: slog.NewJSONHandler(&all, nil), Close: func(context.Context) error { close(closed); return nil }},
			{Name: "fragile", Handler: fragile{fallen}},
		}, nil
	}
	svc := start(t, service, env{"SINK": "copy"})
	svcLog.Info("own", "value", explosive{}, "password", "hunter2")
	if _, err := echo.Say(t.Context(), svc.ConnAs("web"), "hello"); err != nil {
		t.Errorf("a call has failed: %v", err)
	}
	svc.Stop()
	await(t, closed, "the end of the sink")
	if strings.Contains(all.String(), "hunter2") {
		t.Errorf("a secret got out: %s", &all)
	}
	count := map[string]int{}
	for line := range strings.Lines(all.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text, _ := record["msg"].(string)
		count[text]++
		if text == "call" && record["trace_id"] == nil {
			t.Errorf("no trace id: %s", line)
		}
	}
	for _, text := range []string{"own", "call"} {
		if n := len(svc.Logs(text)); n == 0 || count[text] != n {
			t.Errorf("%q: the sink has %d lines, the log %d", text, count[text], n)
		}
	}
	if n := svc.Metric("chassis_log_lines_dropped_total", "sink", "fragile"); n == 0 {
		t.Error("what the fragile sink has lost is not counted")
	}
}

func TestLogSinksThatCannotBeHadEndTheStart(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) { return nil, errors.New("bets.log: permission denied") }
	expectAll(t, startError(t, service, nil), "Service.LogSinks: bets.log: permission denied")

	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) { panic("no disk") }
	expectAll(t, startError(t, service, nil), "starting telemetry: panic: no disk")

	closed := false
	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) {
		return []telemetry.Sink{{Name: "stdout", Handler: slog.DiscardHandler, Close: func(context.Context) error { closed = true; return nil }}}, nil
	}
	expectAll(t, startError(t, service, nil), `the name "stdout" of a log sink is taken`)
	if !closed {
		t.Error("the sink is not closed")
	}
}

// A LogSinks that does not return holds up a stop no longer than other steps of the start.
func TestLogSinksThatHang(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{})
	defer close(release)
	service := echoes(&echo.Service{})
	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) {
		close(asked)
		<-release
		return nil, nil
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- chassis.Run(harness.With(ctx, &harness.Harness{
			Environ: []string{"CHASSIS_MTLS=off", "CHASSIS_SHUTDOWN_TIMEOUT=6s"}, Output: io.Discard,
		}), service)
	}()
	<-asked
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "starting telemetry: it did not return within 3s") {
		t.Errorf("got %v, want that telemetry did not start in the time of the stop", err)
	}
}

// A sink has the rest of the stop's time to close, because it may have to write or to send what it
// has gathered.
func TestTimeOfASinksClose(t *testing.T) {
	t.Parallel()
	left := time.Duration(0)
	service := echoes(&echo.Service{})
	service.LogSinks = func(context.Context) ([]telemetry.Sink, error) {
		return []telemetry.Sink{{Name: "file", Handler: slog.DiscardHandler, Close: func(ctx context.Context) error {
			until, _ := ctx.Deadline()
			left = time.Until(until)
			return nil
		}}}, nil
	}
	chassistest.Start(t, service, chassistest.Options{}).Stop()
	if left < 4*time.Second { // of the 20 s of CHASSIS_SHUTDOWN_TIMEOUT
		t.Errorf("the sink has %s to close", left)
	}
}
