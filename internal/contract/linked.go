package contract

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Linked returns the records of every method whose descriptor is linked into the binary: all
// methods that it can call by generated code. A service whose declarations contradict themselves
// is left out, because it could not start either; told, if not nil, is called with its error.
func Linked(defaults Defaults, told func(service string, err error)) []*Method {
	var all []*Method
	for _, desc := range linkedServices() {
		unary, streams, err := Compile(desc, defaults)
		if err == nil {
			all = append(append(all, unary...), streams...)
		} else if told != nil {
			told(desc.ServiceName, err)
		}
	}
	return all
}

// linkedServices only collects, because the registry is locked meanwhile and Compile reads it
// too.
func linkedServices() (found []*grpc.ServiceDesc) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		services := file.Services()
		for i := range services.Len() {
			found = append(found, serviceDesc(services.Get(i)))
		}
		return true
	})
	return found
}

// serviceDesc describes a service as generated code does, without handlers.
func serviceDesc(service protoreflect.ServiceDescriptor) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: string(service.FullName())}
	methods := service.Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		if name := string(m.Name()); m.IsStreamingClient() || m.IsStreamingServer() {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer(),
			})
		} else {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name})
		}
	}
	return desc
}
