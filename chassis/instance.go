package chassis

import (
	"context"
	"log/slog"
	"time"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/fault"
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

	identity identity

	audit       *audit.Log // nil where it is off
	health      *health.Monitor
	limiter     *admission.Limiter // nil: every call runs
	chain       *middleware.Server
	faults      *fault.Set // injected into chain
	app         *App
	protections protections
	resources   resources

	dialer  *dialer
	parties *thirdParties

	api   *api
	ports *ports
	admin adminPort
	page  *debugPage

	workers *supervisor

	left      Step      // the step of the start that hangs and was left behind; empty for none
	stopBegun time.Time // zero while no stop is asked for

}

func newInstance(ctx context.Context, service Service) *instance {
	now := time.Now()
	i := &instance{service: service, around: surroundingsOf(ctx), began: now, life: newLifecycle(now, service.OnEvent)}
	i.app = &App{instance: i, names: map[string]bool{}}
	return i
}
