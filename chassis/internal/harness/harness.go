// Package harness lets chassistest run a service without a process around it: it replaces
// settings and listeners, and observes all output. It is in the context, so that a service needs
// no field for it.
package harness

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/contract"
)

// Harness replaces what a process would provide. A zero field leaves the process's own in place.
type Harness struct {
	// Environ replaces the environment; an empty, non-nil slice is an empty environment.
	Environ []string
	// Listen replaces net.Listen. Port is "grpc", "http" or "admin".
	Listen func(ctx context.Context, port, addr string) (net.Listener, error)
	// Peers replace the network for services that Dial names, unless a setting has their target.
	Peers map[string]Peer
	// LookupHost and InterfaceAddrs replace the network's when the other instances are looked up,
	// and Patience the time before that.
	LookupHost     func(ctx context.Context, host string) ([]string, error)
	InterfaceAddrs func() ([]net.Addr, error)
	Patience       time.Duration
	// Output replaces standard output.
	Output io.Writer
	// Source replaces the source of identity that the settings choose.
	Source mtls.Source
	// Processors and Handlers get every span that is recorded and every line that is logged.
	Processors []sdktrace.SpanProcessor
	Handlers   []slog.Handler
	// Registered gets the registry of the service's metrics.
	Registered func(prometheus.Gatherer)
	// Methods gets the records of the registered methods when Setup has returned.
	Methods func([]*contract.Method)
}

// Peer is the target of a service, and options that override Dial's.
type Peer struct {
	Target  string
	Options []grpc.DialOption
}

type key struct{}

// With returns a context in which a service runs with h.
func With(ctx context.Context, h *Harness) context.Context { return context.WithValue(ctx, key{}, h) }

// From returns the harness of ctx, an empty one if there is none.
func From(ctx context.Context) *Harness {
	if h, ok := ctx.Value(key{}).(*Harness); ok {
		return h
	}
	return &Harness{}
}
