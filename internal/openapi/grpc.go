package openapi

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// byGRPC lists the methods of a service that declare no HTTP route, for readers who would miss
// them.
func byGRPC(service protoreflect.ServiceDescriptor, routes []Route) (list []any) {
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		full := fmt.Sprintf("/%s/%s", service.FullName(), m.Name())
		if slices.ContainsFunc(routes, func(r Route) bool { return r.FullMethod == full }) {
			continue
		}
		list = append(list, obj("method", full, "summary", summary(m)).
			with("description", comment(m)).
			with("clientStream", m.IsStreamingClient()).
			with("serverStream", m.IsStreamingServer()).
			with("deprecated", deprecated(m) || deprecated(service)))
	}
	return list
}
