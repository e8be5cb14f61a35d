// Package bounded measures everything that only a limited number can use at once, in one family of
// metrics: declared resources, processors, connections, and admission itself. So one rule can find
// the resource that limits a service.
package bounded

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// The kinds of bounded resources: values of a label.
const (
	Declared    = "declared"    // by App.Resource
	Admission   = "admission"   // calls that run, and those that are held back
	Processors  = "processors"  // of Go's scheduler
	Connections = "connections" // of a port
	Streams     = "streams"     // calls on the connections of the gRPC port
	HTTPClient  = "http_client" // connections to a third party
)

// State is the state of a resource at one moment.
type State struct {
	Limit    int // zero for none
	InUse    int
	Waits    bool // Queued and Waited are known
	Queued   int
	Waited   time.Duration // of all together
	Refuses  bool          // Rejected is known
	Rejected uint64
}

// Resources are the resources of one registry. They are read when they are collected. The methods
// may be called concurrently.
type Resources struct {
	limit, inUse, queued, waited, rejected *prometheus.Desc

	mu  sync.Mutex
	all []resource
}

type resource struct {
	kind, name string
	state      func() State
}

// Of returns the resources of a registry, and registers them at the first call. A nil registerer
// has its own, which nobody collects.
func Of(registerer prometheus.Registerer) (*Resources, error) {
	r := &Resources{
		limit: catalog.ResourceLimit.Desc(), inUse: catalog.ResourceInUse.Desc(), queued: catalog.ResourceQueued.Desc(),
		waited: catalog.ResourceWait.Desc(), rejected: catalog.ResourceRejected.Desc(),
	}
	return r, catalog.Register(registerer, &r)
}

// Add adds a resource. It fails if there is another one of this kind and name.
func (r *Resources) Add(kind, name string, state func() State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.all {
		if other.kind == kind && other.name == name {
			return fmt.Errorf("%s resource %q is there twice", kind, name)
		}
	}
	r.all = append(r.all, resource{kind, name, state})
	return nil
}

// Describe describes the family.
func (r *Resources) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{r.limit, r.inUse, r.queued, r.waited, r.rejected} {
		ch <- desc
	}
}

// Collect sends what is known of each resource.
func (r *Resources) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		s := one.state()
		send := func(desc *prometheus.Desc, as prometheus.ValueType, value float64) {
			ch <- prometheus.MustNewConstMetric(desc, as, value, one.kind, one.name)
		}
		send(r.inUse, prometheus.GaugeValue, float64(s.InUse))
		if s.Limit > 0 {
			send(r.limit, prometheus.GaugeValue, float64(s.Limit))
		}
		if s.Waits {
			send(r.queued, prometheus.GaugeValue, float64(s.Queued))
			send(r.waited, prometheus.CounterValue, s.Waited.Seconds())
		}
		if s.Refuses {
			send(r.rejected, prometheus.CounterValue, float64(s.Rejected))
		}
	}
}
