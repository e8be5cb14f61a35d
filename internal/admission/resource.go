package admission

import (
	"context"
	"sync"
	"time"
)

// Resource is something that a limited number of calls can use at once. Its methods may be called
// concurrently.
type Resource struct {
	limit int
	born  time.Time

	mu   sync.Mutex
	line line
}

// NewResource returns a resource for limit calls at once, at least one. A patient resource
// refuses no call: calls wait as long as their callers, and Acquire reports which it would have
// refused.
func NewResource(limit int, patient bool) *Resource {
	return &Resource{limit: max(limit, 1), born: time.Now(), line: line{patient: patient}}
}

// Open makes the resource refuse no call from now on: a service that stops serves the calls that
// still arrive.
func (r *Resource) Open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line.patient = true
}

// Acquire returns when t has a place, or may not wait any longer. An admitted call must call
// Release.
func (r *Resource) Acquire(ctx context.Context, t *Ticket) Verdict {
	r.join(ctx, t)
	if t.waiter != nil {
		r.line.wait(ctx, t, &r.mu, r.now)
	}
	switch {
	case t.state != running:
		return Refused
	case t.reported:
		return Reported
	default:
		return Runs
	}
}

func (r *Resource) join(ctx context.Context, t *Ticket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if !r.line.join(ctx, t, now) {
		return
	}
	r.dispatch(now)
	r.line.seat(t)
}

// now is the time since the resource was made.
func (r *Resource) now() time.Duration { return time.Since(r.born) }

// Release frees the place of t. For a ticket without a place it does nothing.
func (r *Resource) Release(t *Ticket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.state != running {
		return
	}
	t.state = absent
	now := r.now()
	r.line.ended(t, now)
	r.dispatch(now)
}

func (r *Resource) dispatch(now time.Duration) {
	r.line.judge.event(now, r.line.queue.n)
	for t := r.line.first(now); t != nil && r.line.held < r.limit; t = r.line.first(now) {
		r.line.let(t, now)
	}
}

// ResourceState is the state of a resource, for metrics and pages.
type ResourceState struct {
	Limit, Held, Queued int
	Waited              time.Duration // of all calls together
}

// State returns the present state.
func (r *Resource) State() ResourceState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ResourceState{Limit: r.limit, Held: r.line.held, Queued: r.line.queue.n, Waited: r.line.waited}
}
