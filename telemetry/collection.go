package telemetry

import (
	"fmt"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	sentAhead  = 64                     // series that a collector sends without waiting for the reader
	drainEvery = 100 * time.Millisecond // how often what a late collector sends is taken from it
	drainPause = time.Millisecond       // without a series, after which a late collector is left alone until then
	mostSent   = 10 * mostSeries        // series after which nothing more is taken from a collector
)

// collection is one call of a collector. One goroutine calls the collector and renders the
// result, because functions of GaugeFunc and similar run during rendering. The scrape reads for a
// bounded time. After that a timer reads, so that the collector can end and release its
// resources.
type collection struct {
	sent     chan prometheus.Metric   // never closed: a goroutine of the collector may send late
	returned chan struct{}            // closed when the collector has returned
	taken    chan []prometheus.Metric // returns the series that were read, to be rendered; nil if nothing waits for it
	done     chan struct{}            // closed when all is rendered
	late     chan struct{}            // closed when the scrape has given up

	count    int // of series read
	lateness failure

	metrics []prometheus.Metric // valid after done, and so is failed
	failed  *failure
}

func newCollection() *collection {
	return &collection{
		sent: make(chan prometheus.Metric, sentAhead), returned: make(chan struct{}), taken: make(chan []prometheus.Metric, 1),
		done: make(chan struct{}), late: make(chan struct{}),
	}
}

func (c *collection) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// run calls the collector and renders its series. It uses defer because both steps may end the
// goroutine.
func (c *collection) run(own prometheus.Collector) {
	defer close(c.done)
	defer c.render()
	defer close(c.returned)
	attempt(func() { own.Collect(c.sent) }, c.fail)
}

func (c *collection) fail(f failure) {
	if c.failed == nil {
		c.failed = &f
	}
}

func (c *collection) render() {
	for _, m := range <-c.taken {
		attempt(func() { c.metrics = append(c.metrics, rendered(m)) }, c.fail)
	}
}

// read receives what the collector sends, until all is rendered or the time is over.
func (c *collection) read() {
	timeout := time.NewTimer(collectTime)
	defer timeout.Stop()
	var metrics []prometheus.Metric
	for {
		select {
		case m := <-c.sent:
			metrics = c.keep(metrics, m)
			if c.count > mostSent {
				c.giveUp()
				return
			}
		case <-c.returned:
			c.finish(metrics, timeout.C)
			return
		case <-timeout.C:
			c.giveUp()
			time.AfterFunc(drainEvery, c.drain)
			return
		}
	}
}

// keep adds a series, or drops all of them if there are too many.
func (c *collection) keep(metrics []prometheus.Metric, m prometheus.Metric) []prometheus.Metric {
	if c.count++; c.count > mostSeries {
		return nil
	}
	return append(metrics, m)
}

// finish waits until the series are rendered.
func (c *collection) finish(metrics []prometheus.Metric, timeout <-chan time.Time) {
	for len(c.sent) > 0 {
		metrics = c.keep(metrics, <-c.sent)
	}
	if c.count > mostSeries {
		c.fail(c.tooMany())
	}
	c.taken <- metrics
	select {
	case <-c.done:
	case <-timeout:
		c.giveUp()
	}
}

func (c *collection) giveUp() {
	c.lateness = failure{reason: failedTimeout, text: fmt.Sprintf("has not returned within %v", collectTime)}
	if c.count > mostSeries {
		c.lateness = c.tooMany()
	}
	close(c.late)
}

func (c *collection) tooMany() failure {
	return failure{reason: failedTooMany, text: fmt.Sprintf("sent more than %d series", mostSeries)}
}

// drain receives and discards what a late collector sends.
func (c *collection) drain() {
	pause := time.NewTimer(drainPause)
	defer pause.Stop()
	for c.count <= mostSent {
		select {
		case <-c.sent:
			c.count++
			pause.Reset(drainPause)
		case <-c.returned:
			c.taken <- nil
			return
		case <-pause.C:
			time.AfterFunc(drainEvery, c.drain)
			return
		}
	}
}

// rendered renders m now, so that an error does not end the scrape.
func rendered(m prometheus.Metric) prometheus.Metric {
	desc := m.Desc()
	_ = desc.String() // panics on nil
	return render(desc, m.Write)
}

// render is rendered for T, the type that metrics write themselves into. client_golang has that
// type from another module, which would otherwise have to be imported here.
func render[T any](desc *prometheus.Desc, write func(*T) error) prometheus.Metric {
	r := &renderedMetric[T]{desc: desc}
	if err := write(&r.value); err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	metric, _ := any(r).(prometheus.Metric) // it is one, for the T of m.Write
	return metric
}

type renderedMetric[T any] struct {
	desc  *prometheus.Desc
	value T
}

func (m *renderedMetric[T]) Desc() *prometheus.Desc { return m.desc }

// Write fills out, which shares its parts with the value. Wrappers append labels, so the lists
// have no spare capacity.
func (m *renderedMetric[T]) Write(out *T) error {
	target := reflect.ValueOf(out).Elem()
	for field, part := range reflect.ValueOf(&m.value).Elem().Fields() {
		if !field.IsExported() {
			continue
		}
		if part.Kind() == reflect.Slice {
			part = part.Slice3(0, part.Len(), part.Len())
		}
		target.FieldByIndex(field.Index).Set(part)
	}
	return nil
}
