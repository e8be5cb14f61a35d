package chassis

import (
	"context"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
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
}

// listen opens a port. Ports of the service limit connections. The admin port does not, because a
// service at its limit is still alive.
func (o *opener) listen(ctx context.Context, port, addr string) (net.Listener, error) {
	listener, err := o.around.Listen(ctx, port, addr)
	if err != nil || port == "admin" {
		return listener, err
	}
	limits := connLimits{o.cfg.MaxConnections, o.cfg.MaxConnectionsPerAddress}
	return limitConns(port, listener, limits, o.log, o.refused, o.limiter), nil
}
