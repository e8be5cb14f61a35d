package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/catalog"
)

// Resource is something that a bounded number of calls can use at once, such as a pool of connections. Calls wait for it
// here instead of in the pool: the critical ones first, callers and methods by turns. While more calls come than it can
// serve, those are refused at once whose turn would come too late. All methods may be called concurrently.
type Resource struct {
	name   string
	server *Server
	engine *admission.Resource
}

// Resource declares a resource that limit calls can use at once. It must be called before the first call. It fails for a
// limit below 1, for an empty name and for one that is declared already.
func (s *Server) Resource(name string, limit int) (*Resource, error) {
	if name == "" || limit < 1 {
		return nil, fmt.Errorf("resource %q with a limit of %d: it needs a name and a limit of at least 1", name, limit)
	}
	patient := s.cfg.Admission == nil || s.cfg.Admission.Reports()
	r := &Resource{name, s, admission.NewResource(limit, patient)}
	return r, s.obs.resources.add(r)
}

// Acquire waits until the resource has room for the call of ctx, and returns what gives the room back. Release must be
// called; further calls of it do nothing.
//
// It fails with UNAVAILABLE and a google.rpc.RetryInfo where the resource is overloaded, and with DEADLINE_EXCEEDED or
// CANCELLED where ctx has ended. A handler returns these errors as they are, or wrapped. Outside of a call, in a worker,
// Acquire waits as long as ctx does and is not refused. A nil Resource has room for every call.
//
// A call that acquires the same resource twice holds two of its places, and can wait for itself.
func (r *Resource) Acquire(ctx context.Context) (release func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	t := &admission.Ticket{Patient: true}
	c, _ := ctx.Value(callKey{}).(*call)
	if c != nil {
		t.Worth, t.Share, t.Patient = c.Worth, c.Share, c.method.Quiet
	}
	switch r.engine.Acquire(ctx, t) {
	case admission.Refused:
		return nil, r.refuse(ctx)
	case admission.Reported:
		r.report(ctx, c)
	case admission.Runs:
	}
	var once sync.Once
	return func() { once.Do(func() { r.engine.Release(t) }) }, nil
}

func (r *Resource) refuse(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return &overloaded{r.server.overloadStatus()}
}

// report says that the call would have been refused.
func (r *Resource) report(ctx context.Context, c *call) {
	if c == nil || r.server.cfg.Admission == nil || !r.server.cfg.Admission.Reports() {
		return
	}
	r.server.obs.audited.WithLabelValues(c.method.Name, string(ReasonOverload)).Inc()
	logger(r.server.cfg.Logger).WarnContext(ctx, "call would have been refused",
		slog.String("method", c.method.Name), slog.String("would_refuse", string(ReasonOverload)), slog.String("resource", r.name))
}

// overloaded is the refusal of a resource. A call that ends with it counts as refused for overload.
type overloaded struct{ st *status.Status }

func (e *overloaded) Error() string              { return e.st.Err().Error() }
func (e *overloaded) GRPCStatus() *status.Status { return e.st }

// resourceMetrics read the state of the resources when they are collected.
type resourceMetrics struct {
	limit, inUse, queued, waited *prometheus.Desc

	mu  sync.Mutex
	all []*Resource
}

func newResourceMetrics() *resourceMetrics {
	return &resourceMetrics{
		limit: catalog.ResourceLimit.Desc(), inUse: catalog.ResourceInUse.Desc(),
		queued: catalog.ResourceQueued.Desc(), waited: catalog.ResourceWait.Desc(),
	}
}

func (m *resourceMetrics) add(r *Resource) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.all {
		if other.name == r.name {
			return fmt.Errorf("resource %q is declared twice", r.name)
		}
	}
	m.all = append(m.all, r)
	return nil
}

// open has no resource refuse a call from now on.
func (m *resourceMetrics) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.all {
		r.engine.Open()
	}
}

func (m *resourceMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.limit, m.inUse, m.queued, m.waited} {
		ch <- desc
	}
}

func (m *resourceMetrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.all {
		s := r.engine.State()
		ch <- prometheus.MustNewConstMetric(m.limit, prometheus.GaugeValue, float64(s.Limit), r.name)
		ch <- prometheus.MustNewConstMetric(m.inUse, prometheus.GaugeValue, float64(s.Held), r.name)
		ch <- prometheus.MustNewConstMetric(m.queued, prometheus.GaugeValue, float64(s.Queued), r.name)
		ch <- prometheus.MustNewConstMetric(m.waited, prometheus.CounterValue, s.Waited.Seconds(), r.name)
	}
}
