package contract

import (
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Defaults apply to methods that declare nothing.
type Defaults struct {
	// Timeout is the deadline of unary methods. Zero means none. Streams have none.
	Timeout time.Duration
	// Overrides are the operator's policies for single methods.
	Overrides Overrides
}

// openServices are infrastructure: called every few seconds, by machines that may have no identity.
var openServices = []string{"grpc.health.v1.", "grpc.reflection."}

// Compile returns the records of the unary methods and the streams of desc, each in the order of
// desc. The error has every declaration that contradicts itself or cannot be kept, by file,
// method and option.
func Compile(desc *grpc.ServiceDesc, defaults Defaults) (unary, streams []*Method, err error) {
	c := compiler{defaults: defaults, service: Descriptor(desc.ServiceName)}
	for i := range desc.Methods {
		unary = append(unary, c.method(desc, desc.Methods[i].MethodName, false, false))
	}
	for i := range desc.Streams {
		s := &desc.Streams[i]
		streams = append(streams, c.method(desc, s.StreamName, s.ClientStreams, s.ServerStreams))
	}
	return unary, streams, errors.Join(c.errs...)
}

// CompileDescriptor is Compile for a service that is not linked into the binary, such as one whose
// .proto files a tool reads. The records are in the order of the file.
func CompileDescriptor(service protoreflect.ServiceDescriptor, defaults Defaults) ([]*Method, error) {
	c := compiler{defaults: defaults, service: service}
	desc := serviceDesc(service)
	var all []*Method
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		all = append(all, c.method(desc, string(m.Name()), m.IsStreamingClient(), m.IsStreamingServer()))
	}
	return all, errors.Join(c.errs...)
}

// Descriptor returns the descriptor of a service. It is nil if the descriptor is not linked into
// the binary: such a service can be registered, and declares nothing.
func Descriptor(name string) protoreflect.ServiceDescriptor {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	service, _ := d.(protoreflect.ServiceDescriptor)
	return service
}

// compiler makes the records of one service.
type compiler struct {
	defaults Defaults
	service  protoreflect.ServiceDescriptor
	errs     []error
}

func (c *compiler) method(desc *grpc.ServiceDesc, name string, clientStreams, serverStreams bool) *Method {
	full := desc.ServiceName + "/" + name
	m := &Method{FullMethod: "/" + full, Name: full, ClientStreams: clientStreams, ServerStreams: serverStreams}
	if m.Unary() {
		m.Timeout = c.defaults.Timeout
	}
	for _, prefix := range openServices {
		if strings.HasPrefix(desc.ServiceName, prefix) {
			m.Quiet, m.Public = true, true
		}
	}
	m.Events = c.events(name, serverStreams)
	m.Deprecated = c.deprecated(name)
	declared := c.declarations(name)
	if override := c.defaults.Overrides[full]; override != nil {
		m.Overridden = true
		declared = append(declared, declaration{override, "CHASSIS_POLICY_OVERRIDES: " + full, ""})
	}
	for _, d := range declared {
		c.report(d.apply(m)...)
	}
	c.report(checkWhole(m, declared)...)
	m.applyRetries(declared, c.idempotent(name))
	c.report(m.applyHedge(declared)...)
	return m
}

// report collects errs. A mistake in the declaration for all methods of a service is reported
// once.
func (c *compiler) report(errs ...error) {
	for _, err := range errs {
		if !slices.ContainsFunc(c.errs, func(told error) bool { return told.Error() == err.Error() }) {
			c.errs = append(c.errs, err)
		}
	}
}

// declarations returns the declaration of the service for all its methods, and then the method's
// own.
func (c *compiler) declarations(method string) []declaration {
	if c.service == nil {
		return nil
	}
	var found []declaration
	place := c.service.ParentFile().Path() + ": " + string(c.service.FullName())
	if p := policy(c.service.Options(), paddockv1.E_Service); p != nil {
		found = append(found, declaration{p, place, "(paddock.v1.service)"})
	}
	if m := c.service.Methods().ByName(protoreflect.Name(method)); m != nil {
		if p := policy(m.Options(), paddockv1.E_Method); p != nil {
			found = append(found, declaration{p, place + "." + method, "(paddock.v1.method)"})
		}
	}
	return found
}

// policy returns an option, nil if it is not set.
func policy(options proto.Message, extension protoreflect.ExtensionType) *paddockv1.Policy {
	if !proto.HasExtension(options, extension) {
		return nil
	}
	p, _ := proto.GetExtension(options, extension).(*paddockv1.Policy)
	return p
}

// idempotent reports whether the standard option declares that a method has no effect, or the
// same effect when called twice.
func (c *compiler) idempotent(method string) bool {
	return c.options(method).GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

// deprecated reports whether the standard options declare a method or its service deprecated.
func (c *compiler) deprecated(method string) bool {
	if c.service == nil {
		return false
	}
	service, _ := c.service.Options().(*descriptorpb.ServiceOptions)
	return service.GetDeprecated() || c.options(method).GetDeprecated()
}

// options returns the standard options of a method, nil if it has no descriptor.
func (c *compiler) options(method string) *descriptorpb.MethodOptions {
	if c.service == nil {
		return nil
	}
	d := c.service.Methods().ByName(protoreflect.Name(method))
	if d == nil {
		return nil
	}
	options, _ := d.Options().(*descriptorpb.MethodOptions)
	return options
}
