package chassis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flushTimeout bounds the last export of telemetry. It has its own context, because that of the
// calls may have ended.
const flushTimeout = 2 * time.Second

// closeTimeout bounds the steps after the flush. Half of it is for a last export, half for the
// last lines of the log, which report losses even if the machine stalls for a moment.
const closeTimeout = 800 * time.Millisecond

// stop takes the steps of the stop, in the order of the constants of Step, with one owner and one
// deadline. Parts that were never started are skipped. Either the stop was asked for, or failed
// is the cause.
func (i *instance) stop(asked, failed error) error {
	if i.telemetry == nil {
		return nil // it never came further than its settings
	}
	serving := i.life.phaseNow() == phases[1] // else load balancers send no calls yet
	i.requestStop(asked, failed)
	_ = i.app.end() // the start has reported what was wrong
	end := i.stopEnd()
	calls, cancelCalls := context.WithDeadline(context.Background(), end.Add(-stopReserve))
	defer cancelCalls()
	workers, cancelWorkers := context.WithDeadline(context.Background(), end.Add(-telemetryReserve))
	defer cancelWorkers()
	var errs []error

	i.readinessOff()
	i.life.emit(ReadinessOff, "", nil)
	if serving {
		sleep(calls, i.cfg.DrainDelay)
	}
	i.life.emit(DrainDelayOver, "", nil)
	i.faults.Close()
	i.chain.Drain()
	i.health.EndWatches()
	i.life.emit(StreamsTold, "", nil)
	if err := i.ports.finish(calls); err != nil {
		errs = append(errs, err)
		i.life.emit(CallsCut, "", err)
	} else {
		i.life.emit(CallsFinished, "", nil)
	}
	err := i.stopWorkers(workers)
	i.life.emit(WorkersStopped, "", err)
	i.parties.close()
	errs = append(errs, err, i.closeGateway(), i.dialer.close(), i.identity.close())
	flushed := i.flush(end.Add(-closeTimeout - closeAdminTimeout - closeAuditTimeout))
	i.life.emit(TelemetryFlushed, "", flushed)
	i.admin.close()
	i.life.emit(AdminClosed, "", nil)
	closeAuditLog(i.audit, i.log)
	i.life.emit(Stopped, fmt.Sprintf("after %s", time.Since(i.stopBegun).Round(time.Millisecond)), nil)
	i.closeTelemetry(end, flushed == nil)
	return errors.Join(errs...)
}

// stopWorkers ends the workers and, concurrently, the health checks, whose probes may take as
// long.
func (i *instance) stopWorkers(ctx context.Context) error {
	checks := make(chan error, 1)
	go func() { checks <- i.stopHealth() }()
	err := i.workers.stop(ctx)
	return errors.Join(err, <-checks)
}

// requestStop takes the first step of the stop and starts its time. Only the first call has an
// effect: a stop that is requested during the start begins there.
func (i *instance) requestStop(asked, failed error) {
	if i.stopBegun.IsZero() {
		i.stopBegun = time.Now()
		i.life.emit(StopRequested, text(asked), failed)
	}
}

// stopDuringStart begins the stop while a step of the start runs, and returns the time that the
// step has left.
func (i *instance) stopDuringStart(ctx context.Context) time.Duration {
	i.requestStop(context.Cause(ctx), nil)
	return time.Until(i.stopEnd().Add(-stopReserve))
}

// stopEnd is the deadline of the stop.
func (i *instance) stopEnd() time.Time { return i.stopBegun.Add(i.cfg.ShutdownTimeout) }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// readinessOff notifies probes, watchers of grpc.health.v1, clients with persistent HTTP/1
// connections, and other services of a developer's machine.
func (i *instance) readinessOff() {
	i.ports.withdraw()
	i.health.SetServing(false)
	i.chain.Leave()
}

func (i *instance) stopHealth() error {
	err := i.health.Stop()
	if err != nil {
		return fmt.Errorf("chassis: %w", err)
	}
	return nil
}

// closeGateway closes the gateway's grpc.ClientConn, which has goroutines even if it never
// connects.
func (i *instance) closeGateway() error {
	i.app.mu.Lock() // a Setup that was left behind may still use it
	defer i.app.mu.Unlock()
	if i.app.conn == nil {
		return nil
	}
	return i.app.conn.Close()
}

// flush exports metrics and traces and writes the audit log, until end at the latest. The admin
// port is still open, so that the last values can be scraped.
func (i *instance) flush(end time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), min(flushTimeout, time.Until(end)))
	defer cancel()
	recorded := make(chan error, 1)
	go func() { recorded <- i.audit.Flush(ctx) }()
	err := i.telemetry.Flush(ctx)
	return errors.Join(err, <-recorded)
}

// closeTelemetry closes the exporters and the service's own sinks, and writes the rest of the log.
// It has the rest of the time of the stop if everything could be flushed: then only the Close of a
// sink can take long.
func (i *instance) closeTelemetry(end time.Time, flushed bool) {
	until := time.Now().Add(closeTimeout)
	if flushed && end.After(until) {
		until = end
	}
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	_ = i.telemetry.Shutdown(ctx) // it logs its error
}
