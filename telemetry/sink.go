package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	slogmulti "github.com/samber/slog-multi"

	"github.com/prometheus/client_golang/prometheus"
)

// Sink is an additional destination of log records, beside standard output: a file, an error
// tracker, a message bus. github.com/samber/slog-multi combines several handlers into one: its
// Router selects records by level or attribute, and its Failover uses a second handler if the
// first one fails.
//
//	telemetry.Sink{
//		Name: "file", Handler: slog.NewJSONHandler(file, nil),
//		Close: func(context.Context) error { return file.Close() },
//	}
//
// Records reach a sink as follows:
//
//   - Records are redacted, have trace_id, span_id and trace_flags at top level, and hold values
//     without methods. An error is replaced by an error with the same text.
//   - Each sink has a queue of 1 MiB, which one goroutine empties in order. A log call never
//     waits for a sink.
//   - A record is lost if the queue is full, if the handler returns an error or panics, or if the
//     process ends without Shutdown.
//   - Lost records are counted in chassis_log_lines_dropped_total under the sink's name. Standard
//     output reports the reason at most once a minute.
//   - A handler that fails or hangs does not affect other sinks, standard output or the service.
type Sink struct {
	// Name is the value of the metric's label "sink": lower-case letters, digits and dashes, at
	// most 32, and not stdout, otlp or handler. Required, and different for each sink.
	Name string

	// Handler gets the records one at a time, from one goroutine. Its context has only the span
	// context of the log call, and never ends. Required.
	Handler slog.Handler

	// Level, if not nil, is the least level of records for this sink. Records below it cost
	// nothing. Records below the level of the log never reach a sink. It is read in each log
	// call, so its method must not block or log. If it panics, the record goes to the sink.
	Level slog.Leveler

	// Close, if not nil, is called once by Shutdown, after the last record and by the same
	// goroutine. It is also called if Start fails. It is not called while the handler hangs.
	Close func(context.Context) error
}

// The built-in sinks.
const (
	stdoutSink  = "stdout"
	otlpSink    = "otlp"
	handlerSink = "handler" // those of Config.LogHandlers
)

var sinkName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// checkSinks returns what is wrong with the sinks of a Config.
func checkSinks(sinks []Sink) error {
	var errs []error
	seen := map[string]bool{stdoutSink: true, otlpSink: true, handlerSink: true}
	for _, s := range sinks {
		switch {
		case !sinkName.MatchString(s.Name):
			errs = append(errs, fmt.Errorf("a log sink has the name %q: use lower-case letters, digits and dashes, at most 32", s.Name))
		case seen[s.Name]:
			errs = append(errs, fmt.Errorf("the name %q of a log sink is taken: choose another", s.Name))
		case s.Handler == nil:
			errs = append(errs, fmt.Errorf("the log sink %q has no Handler", s.Name))
		case s.Level != nil:
			attempt(func() { s.Level.Level() }, func(how failure) {
				errs = append(errs, fmt.Errorf("the Level of the log sink %q %s", s.Name, how.text))
			})
		}
		seen[s.Name] = true
	}
	return errors.Join(errs...)
}

// discardSinks closes unused sinks.
func discardSinks(ctx context.Context, sinks []Sink) (err error) {
	for _, s := range sinks {
		if s.Close != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}
	return err
}

// recovering returns the middleware for handlers that run in the goroutine of a log call. A
// handler that fails or panics loses only its own record.
func recovering(lost prometheus.Counter, log *slog.Logger) slogmulti.Middleware {
	complaints := new(complaints)
	return slogmulti.RecoverHandlerError(func(_ context.Context, _ slog.Record, err error) {
		lost.Inc()
		if complaints.due() {
			log.Warn("a log handler has failed", "error", err)
		}
	})
}
