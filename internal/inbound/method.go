package inbound

import (
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
)

// Method is one method with everything that its calls need, resolved once.
type Method struct {
	*contract.Method
	server  *Server
	handler func(*call) error
	faults  atomic.Pointer[[]*fault.Rule] // to be injected; nil for none
	metrics methodMetrics
	prefix  string // of its lines in the access log
	index   int    // in the order of registration
}

// InFlight returns the number of running calls of m.
func (m *Method) InFlight() int { return int(m.metrics.traffic.inFlight.Load()) }

// Calls returns the number of ended calls of m, and of those with another code than OK.
func (m *Method) Calls() (ended, failed uint64) {
	return m.metrics.traffic.ended()
}

func (m *Method) desc(name string) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName: name, ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams, Handler: m.Serve,
	}
}
