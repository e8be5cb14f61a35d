package chassis

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/openapi"
	"github.com/betmakers/paddock/middleware"
	"github.com/betmakers/paddock/telemetry"
)

// instance is one run of a Service: everything that it owns, in the order in which it comes to be.
type instance struct {
	service Service
	around  surroundings
	began   time.Time
	life    *lifecycle

	ownsProcess bool // Main: what is global may be set
	libraries   *libraryLogs

	cfg configuration

	telemetry *telemetry.Telemetry
	log       *slog.Logger
	refused   *prometheus.CounterVec // connections beyond the limits

	identity identity

	audit   *audit.Log // nil where it is off
	health  *health.Monitor
	limiter *admission.Limiter // nil: every call runs
	chain   *middleware.Server
	faults  *fault.Set // injected into chain
	app     *App

	dialer  *dialer
	parties *thirdParties

	stopRecorder func() // of the flight recorder; nil if another service of the process has it

	admin *adminServer
	grpc  *grpcServer
	http  *httpServer

	workers *supervisor

	left      Step      // the step of the start that hangs and was left behind; empty for none
	stopBegun time.Time // zero while no stop is asked for

	mu        sync.Mutex // guards what follows, and the fields above that the debug page may see come to be
	routes    []openapi.Route
	resources []declaredResource
}

func newInstance(ctx context.Context, service Service) *instance {
	now := time.Now()
	return &instance{
		service: service, around: surroundingsOf(ctx), began: now, life: newLifecycle(now, service.OnEvent),
		refused: catalog.ConnectionsRefused.CounterVec(),
	}
}

// listen opens a port. Those of the service have limits of connections; that of the probes has none, as a service
// that is full is alive.
func (i *instance) listen(ctx context.Context, port, addr string) (net.Listener, error) {
	listener, err := i.around.Listen(ctx, port, addr)
	if err != nil || port == "admin" {
		return listener, err
	}
	return i.limitConns(port, listener), nil
}

// The servers own their listeners.
type (
	grpcServer struct {
		*grpc.Server
		listener net.Listener
		done     chan error // gets what Serve returned
	}
	httpServer struct {
		*http.Server
		idle     *idleConns
		listener net.Listener
		done     chan error
		cut      context.CancelCauseFunc // ends the contexts of the requests
	}
	adminServer struct {
		httpServer
		handler *admin.Handler
	}
)
