package catalog_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/catalog"
)

func TestRegisterShares(t *testing.T) {
	registry := prometheus.NewRegistry()
	first, second := catalog.Panics.CounterVec(), catalog.Panics.CounterVec()
	for _, c := range []**prometheus.CounterVec{&first, &second} {
		if err := catalog.Register(registry, c); err != nil {
			t.Fatal(err)
		}
		(*c).WithLabelValues("rpc").Inc()
	}
	if got := testutil.ToFloat64(first.WithLabelValues("rpc")); got != 2 {
		t.Errorf("the first counter has %v, want what both have counted", got)
	}
}

func TestRegisterRefusesAnotherKind(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: catalog.Panics.Name, Help: catalog.Panics.Help}, []string{catalog.Panics.Labels[0].Name}))
	counter := catalog.Panics.CounterVec()
	if err := catalog.Register(registry, &counter); err == nil || counter == nil {
		t.Errorf("got %v and counter %v, want an error and the counter kept", err, counter)
	}
}

func TestRegisterWithoutRegisterer(t *testing.T) {
	counter := catalog.Panics.CounterVec()
	if err := catalog.Register(nil, &counter); err != nil || counter == nil {
		t.Errorf("got %v and counter %v, want the counter kept", err, counter)
	}
}
