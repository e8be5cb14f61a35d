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
//
// A stop that is asked for while Setup runs waits for Setup, which should return when its context ends, and fails where
// it has not returned near the end of CHASSIS_SHUTDOWN_TIMEOUT. Then Run returns while the goroutine of Setup still runs,
// and what Setup opens from then on is not closed. The same holds for workers and OnStop functions that ignore their
// contexts, and for handlers that were cut.
func Run(ctx context.Context, service Service) error {
	return newInstance(ctx, service).run(ctx)
}

func (i *instance) run(ctx context.Context) error {
	err := i.start(ctx)
	if i.left == Configured || i.left == TelemetryStarted {
		return err // nothing is there yet to be stopped
	}
	if err == nil {
		err = i.wait(ctx)
	}
	return errors.Join(err, i.stop(context.Cause(ctx), err))
}

// start takes the steps to readiness, in the order of the constants of Step.
func (i *instance) start(ctx context.Context) error {
	for _, s := range []startStep{
		{Configured, i.configure, "reading the settings"},
		{TelemetryStarted, i.startTelemetry, "starting telemetry"},
		{IdentityReady, i.startIdentity, "getting an identity"},
		{AdminListening, i.startAdmin, "opening the admin port"},
		{SetUp, i.setUp, "setting up the service"},
		{PortsBound, i.bindPorts, "opening the ports"},
		{WorkersStarted, i.startWorkers, "starting the workers"},
		{HealthChecked, i.checkHealth, "running the first health checks"},
		{Ready, i.becomeReady, "becoming ready"},
	} {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop before it was ready; wait sees it
		}
		detail, err := s.run(ctx, i.log, i.stopDuringStart)
		if err != nil {
			if _, hangs := errors.AsType[leftBehindError](err); hangs {
				i.left = s.step
			}
			return failedStep(ctx, s, err)
		}
		if !i.stopBegun.IsZero() {
			return nil // the step came to its end during the stop
		}
		i.life.emit(s.step, detail, nil)
	}
	i.page.printHints(i.log)
	return nil
}

// wait returns when a stop is asked for: nil by ctx, else what failed.
func (i *instance) wait(ctx context.Context) error {
	if ctx.Err() != nil { // also before everything was started
		return nil //nolint:nilerr // a stop that was asked for is no error
	}
	var http <-chan error
	if i.ports.http != nil {
		http = i.ports.http.done
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-i.workers.failed:
		return err
	case err := <-i.ports.grpc.done:
		return fmt.Errorf("chassis: gRPC server stopped unexpectedly: %w", err)
	case err := <-http:
		return fmt.Errorf("chassis: HTTP server stopped unexpectedly: %w", err)
	case err := <-i.admin.server.done:
		return fmt.Errorf("chassis: admin server stopped unexpectedly: %w", err)
	}
}
