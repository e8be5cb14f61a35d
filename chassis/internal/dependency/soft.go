package dependency

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/betmakers/paddock/health"
)

// Conn is the connection to a service, a *grpc.ClientConn.
type Conn interface {
	GetState() connectivity.State
	WaitForStateChange(ctx context.Context, from connectivity.State) bool
	Connect()
}

// Soft returns a check that reports a connection under the name of its service. It does not
// connect: an unused connection is healthy.
func Soft(name string, conn Conn) health.Check {
	var last error
	return health.Check{
		Name: name, Soft: true, Interval: 5 * time.Second, FailAfter: 2,
		Probe: func(context.Context) error {
			switch state := conn.GetState(); state {
			case connectivity.Idle, connectivity.Ready:
				last = nil
			case connectivity.Connecting: // nothing new is known yet
			default:
				last = unconnected(name, state)
			}
			return last
		},
	}
}

func unconnected(name string, state connectivity.State) error {
	return fmt.Errorf("no connection to %s (%s)", name, state)
}
