package chassis

import (
	"context"
	"errors"
	"fmt"
)

// Run runs service until ctx ends or one of its workers asks for a stop, and returns when everything of it has ended.
// It is Main without the process: no signals, no flags, no exit.
//
// It returns nil after a clean stop. A start that fails returns what failed, everything that was started being stopped
// again. [ErrCallsCut] is in the error where calls outlived CHASSIS_SHUTDOWN_TIMEOUT. Several services can run in one
// process at once.
func Run(ctx context.Context, service Service) error {
	return newInstance(ctx, service).run(ctx)
}

func (i *instance) run(ctx context.Context) error {
	err := i.start(ctx)
	if err == nil {
		err = i.wait(ctx)
	}
	return errors.Join(err, i.stop(context.Cause(ctx), err))
}

// start takes the steps to readiness, in the order of the constants of Step.
func (i *instance) start(ctx context.Context) error {
	steps := []struct {
		step  Step
		take  func(context.Context) (detail string, err error)
		doing string
	}{
		{Configured, i.configure, "reading the settings"},
		{TelemetryStarted, i.startTelemetry, "starting telemetry"},
		{IdentityReady, i.startIdentity, "getting an identity"},
		{AdminListening, i.startAdmin, "opening the admin port"},
		{SetUp, i.setUp, "setting up the service"},
		{PortsBound, i.bindPorts, "opening the ports"},
		{WorkersStarted, i.startWorkers, "starting the workers"},
		{HealthChecked, i.checkHealth, "running the first health checks"},
		{Ready, i.becomeReady, "becoming ready"},
	}
	for _, s := range steps {
		if err := context.Cause(ctx); err != nil {
			return nil //nolint:nilerr // asked to stop before it was ready; wait sees it
		}
		detail, err := s.take(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil //nolint:nilerr // the step was broken off by the stop
		case err != nil:
			return fmt.Errorf("chassis: %s: %w", s.doing, err)
		}
		i.emit(s.step, detail, nil)
	}
	i.printHints()
	return nil
}

// wait returns when a stop is asked for: nil by ctx, else what failed.
func (i *instance) wait(ctx context.Context) error {
	if ctx.Err() != nil { // also before everything was started
		return nil //nolint:nilerr // a stop that was asked for is no error
	}
	var http <-chan error
	if i.http != nil {
		http = i.http.done
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-i.workers.failed:
		return err
	case err := <-i.grpc.done:
		return fmt.Errorf("chassis: gRPC server ended by itself: %w", err)
	case err := <-http:
		return fmt.Errorf("chassis: HTTP server ended by itself: %w", err)
	case err := <-i.admin.done:
		return fmt.Errorf("chassis: admin server ended by itself: %w", err)
	}
}
