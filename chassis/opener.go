package chassis

import (
	"context"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
)

// opener opens ports with the limits that the settings have for them.
type opener struct {
	cfg      *configuration
	around   *surroundings
	identity *identity
	log      *slog.Logger
	registry prometheus.Registerer
	refused  *prometheus.CounterVec // connections beyond the limits
	limiter  *admission.Limiter     // nil where admission is off
}

// listen opens a port. Those of the service have limits of connections; that of the probes has
// none, as a service that is full is alive.
func (o *opener) listen(ctx context.Context, port, addr string) (net.Listener, error) {
	listener, err := o.around.Listen(ctx, port, addr)
	if err != nil || port == "admin" {
		return listener, err
	}
	limits := connLimits{o.cfg.MaxConnections, o.cfg.MaxConnectionsPerAddress}
	return limitConns(port, listener, limits, o.log, o.refused, o.limiter), nil
}
