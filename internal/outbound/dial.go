package outbound

import (
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/contract"
)

// DialOptions returns the options of a connection to a service, so that each of its calls, unary
// or stream, runs through the pass. Name is the name of the service. It is a label of metrics, so
// use few names. Configured reports that the connection's service config has the timeouts of the
// methods; otherwise the pass applies them, which costs more. Given before other options, the
// pass is the outermost interceptor.
func (c *Client) DialOptions(name string, configured bool) []grpc.DialOption {
	p := &peerCalls{
		client: c, name: name, configured: configured, methods: make(map[string]*clientMethod, len(c.cfg.Methods)),
		component: c.component("rpc:" + name),
	}
	for _, m := range c.cfg.Methods {
		p.methods[m.FullMethod] = p.method(m)
	}
	p.other = p.method(&contract.Method{Name: "_OTHER", ClientStreams: true, ServerStreams: true})
	p.hedges.tenths.Store(hedgeSaving)
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(p.unary), grpc.WithChainStreamInterceptor(p.stream)}
}
