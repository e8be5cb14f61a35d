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

// Sink is a place of the service's own for records of the log, beside standard output: a file, an
// error tracker, a message bus. Several handlers become one with github.com/samber/slog-multi: its
// Router chooses records by level or attribute, its Failover has a second handler where the first
// one fails.
//
// A record is redacted, has trace_id, span_id and trace_flags at top level, and holds values without
// methods: an error is one with the same text. Records wait in a queue of 1 MiB for each sink, which
// one goroutine empties in order, so that a log call never waits for a sink. A record is lost if it
// finds the queue full, if the handler returns an error or panics, or if the process ends without
// Shutdown. Each lost one is counted in chassis_log_lines_dropped_total under the sink's name, and
// standard output reports the reason at most once a minute. Other sinks, standard output and the
// service are not affected by a handler that fails or hangs.
type Sink struct {
	// Name is the value of the label "sink" of the metric: lower-case letters, digits and dashes,
	// at most 32, and other than stdout, otlp and handler. Required, and different for each sink.
	Name string

	// Handler gets the records, one after the other, by one goroutine. Its context has the span
	// context of the log call and nothing else, and never ends. Required.
	Handler slog.Handler

	// Level, if not nil, is the least level of records for this sink. A record below it costs
	// nothing. Records below the level of the log never come here.
	Level slog.Leveler

	// Close, if not nil, is called once by Shutdown, after the last record and by the same
	// goroutine, and also where Start fails. It is not called while the handler hangs.
	Close func(context.Context) error
}

// The sinks that are not the service's.
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
		}
		seen[s.Name] = true
	}
	return errors.Join(errs...)
}

// discardSinks closes sinks that nothing was written to.
func discardSinks(ctx context.Context, sinks []Sink) (err error) {
	for _, s := range sinks {
		if s.Close != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}
	return err
}

// startSinks starts what empties the queues of the sinks, and returns the handlers that fill them.
func (t *Telemetry) startSinks(sinks []Sink, dropped *prometheus.CounterVec, log *slog.Logger) (handlers []slog.Handler) {
	for _, s := range sinks {
		q := newSinkQueue(s, dropped.WithLabelValues(s.Name), log)
		t.queues = append(t.queues, q)
		handlers = append(handlers, q.handler())
	}
	return handlers
}

// recovering returns the middleware for handlers that run in the goroutine of a log call: a handler
// that fails or panics costs its own record.
func recovering(lost prometheus.Counter, log *slog.Logger) slogmulti.Middleware {
	complaints := new(complaints)
	return slogmulti.RecoverHandlerError(func(_ context.Context, _ slog.Record, err error) {
		lost.Inc()
		if complaints.due() {
			log.Warn("a log handler has failed", "error", err)
		}
	})
}
