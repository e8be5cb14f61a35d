// Package contract turns what a service declares about its methods into one record per method, once, at registration.
// Every concern on a call's way works from that record; nothing is looked up while a call runs.
package contract

import (
	"strings"
	"time"

	"google.golang.org/grpc"
)

// Method is what the chassis knows of one method. It is read-only once compiled, and safe for concurrent use.
type Method struct {
	// FullMethod is the method as it stands on the wire: "/package.Service/Method".
	FullMethod string
	// Name is the same without the leading slash: the value of the rpc_method label.
	Name string

	ClientStreams, ServerStreams bool

	// Timeout is the server's deadline where the caller's is later or missing. Zero means none.
	Timeout time.Duration

	// Quiet methods leave no access-log line and no span as long as they succeed: probes and reflection.
	Quiet bool
}

// Unary reports whether neither side streams.
func (m *Method) Unary() bool { return !m.ClientStreams && !m.ServerStreams }

// Kind names the shape of the method for people.
func (m *Method) Kind() string {
	switch {
	case m.Unary():
		return "unary"
	case !m.ClientStreams:
		return "server stream"
	case !m.ServerStreams:
		return "client stream"
	default:
		return "bidirectional stream"
	}
}

// Defaults hold for methods that declare nothing.
type Defaults struct {
	// Timeout of unary methods. Zero means none. Streams have none.
	Timeout time.Duration
}

// quietServices are infrastructure: called every few seconds, by machines.
var quietServices = []string{"grpc.health.v1.", "grpc.reflection."}

// Compile returns the records of the unary methods and the streams of desc, each in the order of desc.
func Compile(desc *grpc.ServiceDesc, defaults Defaults) (unary, streams []*Method) {
	quiet := false
	for _, prefix := range quietServices {
		quiet = quiet || strings.HasPrefix(desc.ServiceName, prefix)
	}
	record := func(method string) *Method {
		name := desc.ServiceName + "/" + method
		return &Method{FullMethod: "/" + name, Name: name, Quiet: quiet}
	}
	for i := range desc.Methods {
		m := record(desc.Methods[i].MethodName)
		m.Timeout = defaults.Timeout
		unary = append(unary, m)
	}
	for i := range desc.Streams {
		m := record(desc.Streams[i].StreamName)
		m.ClientStreams, m.ServerStreams = desc.Streams[i].ClientStreams, desc.Streams[i].ServerStreams
		streams = append(streams, m)
	}
	return unary, streams
}
