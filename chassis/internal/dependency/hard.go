package dependency

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/betmakers/paddock/health"
)

// timeout of a probe, which may have to connect and to ask the fleet.
const timeout = 4 * time.Second

// Hard returns a check that passes while there is a connection. After a loss it fails only while
// the fleet can spare this instance. It connects by itself.
func Hard(name string, conn Conn, fleet *Fleet, log *slog.Logger) health.Check {
	patience := fleet.patience()
	d := &hard{name: name, conn: conn, fleet: fleet, log: log, patience: patience, connecting: patience / 5}
	return health.Check{Name: name, Interval: 2 * patience / 5, Timeout: timeout, FailAfter: 1, Probe: d.probe}
}

// hard is the state of a hard dependency's probe. Probes do not overlap.
type hard struct {
	name  string
	conn  Conn
	fleet *Fleet
	log   *slog.Logger

	patience   time.Duration // until a loss is one
	connecting time.Duration // how long a probe waits for a connection that is on its way

	met    bool      // at least once
	decide time.Time // when to decide what a loss means; zero while there is none
	open   string    // why the service stays ready without; empty if it does not
}

func (d *hard) probe(ctx context.Context) error {
	lost := d.reach(ctx)
	switch now := time.Now(); {
	case lost == nil:
		d.restored(ctx)
		return nil
	case !d.met:
		return fmt.Errorf("%w: there was none since the start", lost)
	case d.open != "":
		return d.failingOpen(lost)
	case d.decide.IsZero():
		d.decide = now.Add(d.patience + rand.N(d.patience))
		return health.Degraded(lost)
	case now.Before(d.decide):
		return health.Degraded(lost)
	}
	if d.open = d.fleet.needsUs(ctx); d.open == "" {
		return fmt.Errorf("%w: others serve meanwhile", lost)
	}
	d.log.Warn("dependency lost: failing open", "dependency", d.name, "reason", d.open)
	return d.failingOpen(lost)
}

// failingOpen stays in force until the dependency is back. If the instance decided again each
// time, it would leave as soon as it saw the others stay, and they would do the same.
func (d *hard) failingOpen(lost error) error {
	return health.Degraded(fmt.Errorf("%w: failing open: %s", lost, d.open))
}

func (d *hard) restored(ctx context.Context) {
	d.met, d.decide, d.open = true, time.Time{}, ""
	d.fleet.note(ctx)
}

// reach returns nil if there is a connection, or as soon as there is one.
func (d *hard) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.connecting)
	defer cancel()
	for {
		state := d.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			d.conn.Connect()
		case connectivity.Shutdown:
			return unconnected(d.name, state)
		}
		if !d.conn.WaitForStateChange(ctx, state) {
			return unconnected(d.name, state)
		}
	}
}
