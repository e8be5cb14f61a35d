package outbound

import (
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/contract"
)

// DialOptions returns what a connection to a service needs so that each of its calls, unary or stream, runs through the
// pass. Name is the name of the service, a label of the metrics: there must be few of them. Configured says that the
// connection's service config has the timeouts of the methods; else the pass sees to them, which costs more. Given before
// others, the pass stands outermost of the interceptors.
func (c *Client) DialOptions(name string, configured bool) []grpc.DialOption {
	p := &peerCalls{client: c, name: name, configured: configured, methods: make(map[string]*clientMethod, len(c.cfg.Methods))}
	for _, m := range c.cfg.Methods {
		p.methods[m.FullMethod] = p.method(m)
	}
	p.other = p.method(&contract.Method{Name: "_OTHER", ClientStreams: true, ServerStreams: true})
	p.hedges.tenths.Store(hedgeSaving)
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(p.unary), grpc.WithChainStreamInterceptor(p.stream)}
}
