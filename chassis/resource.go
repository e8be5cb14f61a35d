package chassis

import (
	"errors"
	"fmt"

	"github.com/betmakers/paddock/middleware"
)

// Resource is something that a bounded number of calls can use at once, declared with [App.Resource].
//
//	release, err := s.db.Acquire(ctx)
//	if err != nil {
//		return nil, err
//	}
//	defer release()
type Resource = middleware.Resource

// Resource declares something that limit calls can use at once, such as the connections of a pool, under a name that is a
// label of metrics: lower-case letters, digits and dashes. Handlers acquire it before they use it.
//
// Declare what can be overloaded: the chassis sees that processors are, and cannot see what calls wait for. At three times
// what the resource can serve, it goes on serving what it can, and the other calls are refused at once, with UNAVAILABLE
// and a time to come again. A burst, and a resource that is slow for a while, refuse no call that their callers still wait
// for unless more calls come than go for some hundred milliseconds.
//
// It fails for a name that is not one, or is declared already, and for a limit below 1.
func (a *App) Resource(name string, limit int) (*Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errLate
	}
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf("chassis: resource %q: %w", name,
			errors.New("the name, a label of metrics, must be lower-case letters, digits and dashes, and begin with a letter"))
	}
	r, err := a.instance.chain.Resource(name, limit)
	if err != nil {
		return nil, fmt.Errorf("chassis: %w", err)
	}
	return r, nil
}
