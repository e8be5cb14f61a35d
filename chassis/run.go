package chassis

import (
	"context"
	"errors"
	"fmt"
)

// Run runs service until ctx ends or a worker of [App.GoRequired] fails, and returns
// when all its parts have ended. Unlike [Main], it handles no signals and no flags and does not
// exit the process. Several services can run in one process at once.
//
// Run returns nil after a clean stop. If the start fails, the parts that were started are stopped
// again, and Run returns the failure. The error wraps [ErrCallsCut] if calls outlived
// CHASSIS_SHUTDOWN_TIMEOUT.
//
// A stop during Setup waits for Setup, which should return when its context ends. If it has not
// returned shortly before the end of CHASSIS_SHUTDOWN_TIMEOUT, Run returns an error while its
// goroutine still runs, and the chassis does not close what Setup opens later. The same holds for
// workers and OnStop functions that ignore their contexts, and for handlers that were cut.
func Run(ctx context.Context, service Service) error {
	return newInstance(ctx, service).run(ctx)
}

func (i *instance) run(ctx context.Context) error {
	err := i.start(ctx)
	if i.left == Configured || i.left == TelemetryStarted {
		i.notes.end(err, 0)
		return err // nothing is there yet to be stopped
	}
	if err == nil {
		err = i.wait(ctx)
	}
	err = errors.Join(err, i.stop(context.Cause(ctx), err))
	i.notes.end(err, i.ports.callsCut())
	return err
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
	if !i.around.replaced() { // in a test nothing listens there
		i.page.printHints(i.log)
	}
	return nil
}

// wait returns when the service must stop: nil if ctx has ended, else the failure.
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
