package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

const (
	collectTime = 5 * time.Second // what a collector has for a scrape, and for its registration
	mostSeries  = 100_000         // of one collector in one scrape
	mostDescs   = 10_000          // of one collector
)

// guard is the registry for collectors of the service. A faulty collector that was registered
// through it loses only its own series. Otherwise it works like the registry.
type guard struct {
	*prometheus.Registry
	failures *prometheus.CounterVec
	log      *slog.Logger // set before Start returns

	complaints complaints // about what the registry refuses
}

func newGuard(registry *prometheus.Registry) (*guard, error) {
	g := &guard{Registry: registry, failures: catalog.CollectorFailures.CounterVec(), log: slog.New(slog.DiscardHandler)}
	for _, reason := range []string{failedPanic, failedExit, failedTimeout, failedTooMany, failedInvalid} {
		g.failures.WithLabelValues(reason)
	}
	return g, registry.Register(g.failures)
}

// Register registers c. It also fails if the Describe method of c panics, does not return within
// 5 s, or sends nil.
func (g *guard) Register(c prometheus.Collector) error {
	guarded, err := g.wrap(c)
	if err != nil {
		return err
	}
	err = g.Registry.Register(guarded)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return prometheus.AlreadyRegisteredError{ExistingCollector: original(already.ExistingCollector), NewCollector: c}
	}
	return err
}

// MustRegister is Register for several collectors. It panics if one fails.
func (g *guard) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := g.Register(c); err != nil {
			panic(err)
		}
	}
}

// Unregister removes c, as in the registry.
func (g *guard) Unregister(c prometheus.Collector) bool {
	guarded, err := g.wrap(c)
	return err == nil && g.Registry.Unregister(guarded)
}

// wrap returns c with a guard. Wrappers of client_golang call the wrapped collector in their own
// goroutine, where a panic could not be caught, so the guard is placed inside them.
func (g *guard) wrap(c prometheus.Collector) (prometheus.Collector, error) {
	if outer, inner := unwrap(c); outer != nil {
		guarded, err := g.wrap(*inner)
		*inner = guarded
		return outer, err
	}
	descs, err := describe(c)
	if err != nil {
		return nil, fmt.Errorf("telemetry: collector %T cannot be registered: %w", c, err)
	}
	return &guarded{own: c, descs: descs, guard: g}, nil
}

func original(c prometheus.Collector) prometheus.Collector {
	if guarded, ok := c.(*guarded); ok {
		return guarded.own
	}
	return c
}

// unwrap returns a copy of c and its wrapped collector if WrapRegistererWith or a similar
// function has made c, else nil. The wrapped collector is in a field that is not exported, so it
// is read by its address. If a release of client_golang renames the type, c is guarded from
// outside and a test fails.
func unwrap(c prometheus.Collector) (outer prometheus.Collector, inner *prometheus.Collector) {
	v := reflect.ValueOf(c)
	if c == nil || v.Type() != reflect.TypeOf(prometheus.WrapCollectorWith(nil, nil)) || v.IsNil() {
		return nil, nil
	}
	clone := reflect.New(v.Type().Elem())
	clone.Elem().Set(v.Elem())
	for _, field := range clone.Elem().Fields() {
		if field.Type() == reflect.TypeFor[prometheus.Collector]() {
			outer, _ = clone.Interface().(prometheus.Collector)
			return outer, (*prometheus.Collector)(field.Addr().UnsafePointer())
		}
	}
	return nil, nil
}

// describe asks a collector for its descriptions.
func describe(c prometheus.Collector) (descs []*prometheus.Desc, err error) {
	if c == nil {
		return nil, errors.New("it is nil")
	}
	sent, failed := make(chan *prometheus.Desc), make(chan *failure, 1)
	go func() {
		var f *failure
		defer func() { failed <- f }()
		attempt(func() { c.Describe(sent) }, func(how failure) { f = &how })
	}()
	timeout := time.NewTimer(collectTime)
	defer timeout.Stop()
	for {
		select {
		case desc := <-sent:
			if descs = append(descs, desc); desc == nil || len(descs) > mostDescs {
				return nil, fmt.Errorf("its Describe sent a nil, or more than %d descriptions", mostDescs)
			}
		case f := <-failed:
			if f != nil {
				return nil, fmt.Errorf("its Describe %s", f.text)
			}
			return descs, nil
		case <-timeout.C:
			return nil, fmt.Errorf("its Describe has not returned within %v", collectTime)
		}
	}
}
