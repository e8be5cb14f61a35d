package inbound

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/served"
)

// Resource is something that a limited number of calls can use at once, such as a pool of
// connections. Calls wait for it here and not in the pool: critical ones first, callers and
// methods by turns. In an overload, calls whose turn would come too late are refused at once. Its
// methods may be called concurrently.
type Resource struct {
	name     string
	server   *Server
	engine   *admission.Resource
	short    *shortage
	rejected atomic.Uint64
	waiting  *served.Component // for the resource
	holding  *served.Component // the resource
}

// Acquire waits until the resource has room for the call of ctx, and returns a function that
// frees it. Release must be called; further calls of it do nothing.
//
// It fails with UNAVAILABLE and a google.rpc.RetryInfo if the resource is overloaded, and with
// DEADLINE_EXCEEDED or CANCELLED if ctx has ended. A handler returns these errors as they are, or
// wrapped. Outside a call, for example in a worker, Acquire waits until ctx ends and is not
// refused. A nil Resource has room for every call.
//
// A call that acquires the same resource twice holds two places, and can deadlock with itself.
func (r *Resource) Acquire(ctx context.Context) (release func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	t := &admission.Ticket{Patient: true}
	c, _ := ctx.Value(served.Key{}).(*call)
	if c != nil {
		t.Worth, t.Share, t.Patient = c.place.Worth, c.place.Share, c.method.Quiet
	}
	r.begin(c, r.waiting)
	verdict := r.engine.Acquire(ctx, t)
	r.end(c, r.waiting)
	switch verdict {
	case admission.Refused:
		return nil, r.refuse(ctx, c)
	case admission.Reported:
		r.report(c)
	case admission.Runs:
	}
	r.begin(c, r.holding)
	var once sync.Once
	return func() {
		once.Do(func() {
			r.engine.Release(t)
			r.end(c, r.holding)
		})
	}, nil
}

// begin and end count the time of a call, nil for none.
func (r *Resource) begin(c *call, what *served.Component) {
	if c != nil {
		c.Begin(what, time.Now())
	}
}

func (r *Resource) end(c *call, what *served.Component) {
	if c != nil {
		c.End(what, time.Now())
	}
}

func (r *Resource) refuse(ctx context.Context, c *call) error {
	outside := c == nil || c.outside()
	if err := ctx.Err(); err != nil {
		st := status.FromContextError(err)
		if !outside {
			st = status.New(st.Code(), st.Message()+" while the call waited for the resource "+r.name)
		}
		return &shortError{st, "", "its time ended while it waited for the resource " + r.name}
	}
	r.rejected.Add(1)
	return &shortError{r.short.status(outside), ReasonOverload, r.short.explain}
}

// report records that the call would have been refused.
func (r *Resource) report(c *call) {
	if c == nil || !r.server.cfg.Admission.Reports() {
		return
	}
	r.server.obs.audited.WithLabelValues(c.method.Name, string(ReasonOverload)).Inc()
	c.alter(func(rare *rareCall) {
		rare.explain, rare.audited = string(ReasonOverload)+" of the resource "+r.name, true
	})
}

// Load returns the number of calls that can use the resource at once, that use it now, and that
// wait for it.
func (r *Resource) Load() (limit, inUse, waiting int) {
	s := r.engine.State()
	return s.Limit, s.Held, s.Queued
}

// state is the state for metrics.
func (r *Resource) state() bounded.State {
	s := r.engine.State()
	return bounded.State{
		Limit: s.Limit, InUse: s.Held, Waits: true, Queued: s.Queued, Waited: s.Waited, Refuses: true, Rejected: r.rejected.Load(),
	}
}

// shortError is the error of a call that a resource does not serve. A call that ends with it has
// it in the log, and counts as refused if it was.
type shortError struct {
	st      *status.Status
	reason  Reason // empty where its time was up
	explain string
}

func (e *shortError) Error() string              { return e.st.Err().Error() }
func (e *shortError) GRPCStatus() *status.Status { return e.st }

func (e *shortError) tell(c *call) {
	if e.reason != "" {
		c.refuse(e.reason, e.explain)
		return
	}
	c.note(e.explain)
}

// resources are the declared resources of a server.
type resources struct {
	mu  sync.Mutex
	all []*Resource
}

// open makes no resource refuse a call from now on.
func (rs *resources) open() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.all {
		r.engine.Open()
	}
}

func (rs *resources) add(r *Resource) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, other := range rs.all {
		if other.name == r.name {
			return fmt.Errorf("resource %q is declared twice", r.name)
		}
	}
	rs.all = append(rs.all, r)
	return nil
}

func newResource(s *Server, name string, limit int) (*Resource, error) {
	if name == "" || limit < 1 {
		return nil, fmt.Errorf("resource %q with a limit of %d: it needs a name and a limit of at least 1", name, limit)
	}
	patient := s.cfg.Admission == nil || s.cfg.Admission.Reports()
	what := "the resource " + name
	r := &Resource{
		name: name, server: s, engine: admission.NewResource(limit, patient),
		short:   newShortage(what+" of the service has", fmt.Sprintf("more calls than %s can serve, which has a limit of %d", what, limit)),
		waiting: &served.Component{Name: "queue:" + name}, holding: &served.Component{Name: "resource:" + name},
	}
	if err := s.resources.add(r); err != nil {
		return r, err
	}
	return r, s.obs.bounded.Add(bounded.Declared, name, r.state)
}
