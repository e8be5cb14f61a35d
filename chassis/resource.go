package chassis

import (
	"fmt"
	"sync"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/inbound"
)

// declaredResource is a resource as the debug page shows it.
type declaredResource struct {
	name string
	*inbound.Resource
}

// resources are the declared resources in their order. Their methods may be called concurrently.
type resources struct {
	mu       sync.Mutex
	declared []declaredResource
}

func (rs *resources) add(name string, r *inbound.Resource) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.declared = append(rs.declared, declaredResource{name, r})
}

// shown returns the use of each resource.
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
