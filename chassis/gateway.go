package chassis

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/openapi"
)

// descriptors returns the descriptors of the registered services that are linked into the binary.
func (i *instance) descriptors() []protoreflect.ServiceDescriptor {
	var found []protoreflect.ServiceDescriptor
	for _, s := range i.app.services {
		if service := contract.Descriptor(s.desc.ServiceName); service != nil {
			found = append(found, service)
		}
	}
	return found
}

// findRoutes reads the REST routes of the registered methods from their descriptors.
func (i *instance) findRoutes() error {
	if i.app.gateway == nil {
		return nil
	}
	var found []openapi.Route
	for _, service := range i.descriptors() {
		routes, err := openapi.Routes(service)
		if err != nil {
			return err
		}
		found = append(found, routes...)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.routes = found
	return nil
}
