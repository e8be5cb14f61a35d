package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/settings"
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

// listen opens a port. Setting has its address. Ports of the service limit connections. The admin
// port does not, because a service at its limit is still alive.
func (o *opener) listen(ctx context.Context, port, setting, addr string) (net.Listener, error) {
	listener, err := o.around.Listen(ctx, port, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = o.listenElsewhere(ctx, port, setting, addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	if port == "admin" {
		return listener, nil
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

// listenElsewhere opens a free port in the place of a default one that another process has, which
// in development is as a rule another service. An address that was set is not replaced.
func (o *opener) listenElsewhere(ctx context.Context, port, setting, addr string, taken error) (net.Listener, error) {
	host, number, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, taken
	}
	holder := holderOf(number)
	if s := settings.Named(o.cfg.settings, setting); !o.cfg.development() || s.Origin == settings.FromEnvironment {
		return nil, fmt.Errorf("%w%s: stop that process, or set %s to another address, such as %s for a free port",
			taken, by(holder), setting, net.JoinHostPort("localhost", "0"))
	}
	listener, err := o.around.Listen(ctx, port, net.JoinHostPort(host, "0"))
	if err == nil {
		o.log.Info("the default port is taken"+by(holder)+": using a free one", "port", port, "default", addr, "address", listener.Addr().String(), "setting", setting)
	}
	return listener, err
}

// by names the process that has a port, if it is known.
func by(holder string) string {
	if holder == "" {
		return ""
	}
	return " by " + holder
}
