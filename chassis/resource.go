package chassis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/inbound"
)

// Resource declares something that limit calls can use at once, such as the connections of a pool, under a name that is a
// label of metrics: lower-case letters, digits and dashes. Handlers call acquire before they use it, and release after:
//
//	release, err := s.acquire(ctx)
//	if err != nil {
//		return nil, err
//	}
//	defer release()
//
// Declare what can be overloaded: the chassis sees that processors are, and cannot see what calls wait for. At three times
// what the resource can serve, it goes on serving what it can, critical calls first, and the other calls are refused. A
// burst, and a resource that is slow for a while, have no call refused unless more calls come than go for some hundred
// milliseconds.
//
// Acquire may be called concurrently. It returns when there is room for the call of ctx, or fails: with UNAVAILABLE and a
// google.rpc.RetryInfo where the resource is overloaded, with DEADLINE_EXCEEDED or CANCELLED where ctx has ended. A handler
// returns these errors as they are, or wrapped: the log then names the resource, and so does the answer to callers of the
// own trust domain. Outside of a call, in a worker, acquire waits as long as ctx does and is
// never refused. Calling release again does nothing. A call that acquires the same resource twice holds two of its places,
// and can wait for itself.
//
// Resource fails for a name that is not one or is declared already, and for a limit below 1. After Setup it panics.
func (a *App) Resource(name string, limit int) (acquire func(ctx context.Context) (release func(), err error), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.late("Resource"); err != nil {
		return nil, err
	}
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf("chassis: resource %q: %w", name,
			errors.New("the name, a label of metrics, must be lower-case letters, digits and dashes, and begin with a letter"))
	}
	r, err := a.instance.chain.Resource(name, limit)
	if err != nil {
		return nil, fmt.Errorf("chassis: %w", err)
	}
	a.instance.resources.add(name, r)
	return r.Acquire, nil
}

// declaredResource is a resource as the debug page shows it.
type declaredResource struct {
	name string
	*inbound.Resource
}

// resources are those that were declared, in their order. Their methods may be called concurrently.
type resources struct {
	mu       sync.Mutex
	declared []declaredResource
}

func (rs *resources) add(name string, r *inbound.Resource) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.declared = append(rs.declared, declaredResource{name, r})
}

// shown is how much of each resource is in use.
func (rs *resources) shown() (shown []admin.KV) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.declared {
		limit, inUse, waiting := r.Load()
		shown = append(shown, admin.KV{
			Key: "Resource " + r.name, Value: fmt.Sprintf("%d of %d in use, %d waiting", inUse, limit, waiting),
		})
	}
	return shown
}
