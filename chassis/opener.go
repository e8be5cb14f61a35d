package chassis

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/bounded"
)

// opener opens ports with the limits of the settings.
type opener struct {
	cfg      *configuration
	around   *surroundings
	identity *identity
	log      *slog.Logger
	registry prometheus.Registerer
	refused  *prometheus.CounterVec // connections beyond the limits
	limiter  *admission.Limiter     // nil where admission is off

	resources *bounded.Resources
	streams   func() int // that the gRPC port serves
}

// listen opens a port. Ports of the service limit connections. The admin port does not, because a
// service at its limit is still alive.
func (o *opener) listen(ctx context.Context, port, addr string) (net.Listener, error) {
	listener, err := o.around.Listen(ctx, port, addr)
	if err != nil || port == "admin" {
		return listener, err
	}
	limits := connLimits{o.cfg.MaxConnections, o.cfg.MaxConnectionsPerAddress}
	limited := limitConns(port, listener, limits, o.log, o.refused, o.limiter)
	if err := o.measure(port, limited.limit); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return limited, nil
}

// measure registers the connections of a port and, of the gRPC port, the calls on them.
func (o *opener) measure(port string, limit *connLimit) error {
	err := o.resources.Add(bounded.Connections, port, limit.state)
	if port != "grpc" {
		return err
	}
	return errors.Join(err, o.resources.Add(bounded.Streams, port, func() bounded.State {
		return bounded.State{Limit: o.cfg.MaxStreams * max(1, limit.state().InUse), InUse: o.streams()}
	}))
}
