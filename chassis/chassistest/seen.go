package chassistest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/internal/contract"
)

// seen has the records of a service: log, spans, events.
type seen struct {
	spans *tracetest.SpanRecorder
	lines *lines

	mu      sync.Mutex
	events  []chassis.Event
	changed chan struct{} // closed and replaced at each event
	metrics prometheus.Gatherer
	methods []*contract.Method
}

func newSeen() *seen {
	return &seen{spans: tracetest.NewSpanRecorder(), lines: &lines{}, changed: make(chan struct{})}
}

// record returns a chassis.Service.OnEvent that records events and calls next.
func (s *seen) record(next func(chassis.Event)) func(chassis.Event) {
	return func(e chassis.Event) {
		if next != nil {
			next(e)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// took reports whether a step was taken, and returns a channel that is closed at the next step.
func (s *seen) took(step chassis.Step) (taken bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.events, func(e chassis.Event) bool { return e.Step == step }), s.changed
}

func (s *seen) taken() []chassis.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// steps lists the steps taken, for people.
func (s *seen) steps() string {
	var names []string
	for _, e := range s.taken() {
		names = append(names, string(e.Step))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (s *seen) registered(metrics prometheus.Gatherer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics = metrics
}

func (s *seen) declared(methods []*contract.Method) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.methods = methods
}

func (s *seen) metric(name string, labels []string) (sum float64, err error) {
	s.mu.Lock()
	metrics := s.metrics
	s.mu.Unlock()
	if len(labels)%2 != 0 {
		return 0, fmt.Errorf("labels are names and values in turn, but there are %d: %q", len(labels), labels)
	}
	if metrics == nil {
		return 0, nil // telemetry has not started
	}
	families, err := metrics.Gather()
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			have := map[string]string{}
			for _, label := range m.GetLabel() {
				have[label.GetName()] = label.GetValue()
			}
			if matches(have, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() +
					float64(m.GetHistogram().GetSampleCount()+m.GetSummary().GetSampleCount()) + m.GetUntyped().GetValue()
			}
		}
	}
	return sum, err
}

func matches(have map[string]string, want []string) bool {
	for pair := range slices.Chunk(want, 2) {
		if value, ok := have[pair[0]]; !ok || value != pair[1] {
			return false
		}
	}
	return true
}

func (s *seen) logged() ([]map[string]any, error) {
	var logged []map[string]any
	for line := range bytes.Lines(s.lines.copy()) {
		attrs := map[string]any{}
		if err := json.Unmarshal(line, &attrs); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		logged = append(logged, attrs)
	}
	return logged, nil
}

// lines keeps a log as JSON, one object a line.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) handler() slog.Handler {
	return slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.Level(-100)}) // the service's level decides
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) copy() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}
