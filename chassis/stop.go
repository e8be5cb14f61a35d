package chassis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrCallsCut says that calls were still running when CHASSIS_SHUTDOWN_TIMEOUT had passed, and were cut.
var ErrCallsCut = errors.New("calls were cut at the deadline of the shutdown")

// flushTimeout bounds the last export of telemetry, which has a context of its own: the one of the stop may be spent.
const flushTimeout = 2 * time.Second

// closeTimeout bounds what comes after the flush: half of it a last export, half the log's last lines, which tell what was
// lost also where the machine stands still for a moment.
const closeTimeout = 800 * time.Millisecond

// stop takes the steps of the end, in the order of the constants of Step: one owner, one order, one deadline. What was
// never started is passed over. The stop was asked for, or something failed.
func (i *instance) stop(asked, failed error) error {
	if i.telemetry == nil {
		return nil // it never came further than its settings
	}
	serving := i.phaseNow() == phases[1] // else nobody was sent here yet
	begun := time.Now()
	calls, cancel := context.WithDeadline(context.Background(), begun.Add(i.cfg.ShutdownTimeout-flushReserve))
	defer cancel()
	var errs []error

	i.emit(StopRequested, text(asked), failed)
	i.readinessOff()
	i.emit(ReadinessOff, "", nil)
	if serving {
		sleep(calls, i.cfg.DrainDelay)
	}
	i.emit(DrainDelayOver, "", nil)
	i.faults.Close()
	i.chain.Drain()
	i.health.EndWatches()
	i.emit(StreamsTold, "", nil)
	if err := i.finishCalls(calls); err != nil {
		errs = append(errs, err)
		i.emit(CallsCut, "", err)
	} else {
		i.emit(CallsFinished, "", nil)
	}
	err := errors.Join(i.workers.stop(calls), i.stopHealth())
	i.emit(WorkersStopped, "", err)
	i.closeHTTPClients()
	errs = append(errs, err, i.closeGateway(), i.closeDials(), i.closeIdentity())
	err = i.flush()
	i.emit(TelemetryFlushed, "", err)
	i.closeAdmin()
	i.emit(AdminClosed, "", nil)
	i.emit(Stopped, fmt.Sprintf("after %s", time.Since(begun).Round(time.Millisecond)), nil)
	i.closeTelemetry()
	return errors.Join(errs...)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// readinessOff tells probes and watchers of grpc.health.v1, and clients that keep HTTP/1 connections.
func (i *instance) readinessOff() {
	i.health.SetServing(false)
	i.chain.Leave()
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// finishCalls closes the service's ports and waits for the calls in flight, until ctx ends: then it cuts them.
func (i *instance) finishCalls(ctx context.Context) error {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		i.finishGracefully(ctx)
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
	}
	cut := i.inFlight()
	i.cutCalls()
	if cut == "" {
		return nil // only idle connections were left
	}
	return fmt.Errorf("%w: %s", ErrCallsCut, cut)
}

// finishGracefully ends HTTP and gRPC beside each other: neither waits for calls of the other.
func (i *instance) finishGracefully(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if i.http != nil {
			i.http.finish(ctx)
		}
	}()
	if i.grpc != nil {
		i.grpc.GracefulStop()
	}
	<-done
}

// cutCalls ends every connection. Handlers that ignore their context run on until the process ends; Stop does not wait
// for them, and is given a goroutine all the same.
func (i *instance) cutCalls() {
	if i.http != nil {
		_ = i.http.Close()
	}
	if i.grpc != nil {
		go i.grpc.Stop()
	}
}

// inFlight names the methods that run, with the number of their calls.
func (i *instance) inFlight() string {
	var running []string
	for _, m := range i.chain.Methods() {
		if n := m.InFlight(); n > 0 {
			running = append(running, fmt.Sprintf("%s (%d)", m.Name, n))
		}
	}
	return strings.Join(running, ", ")
}

func (i *instance) stopHealth() error {
	err := i.health.Stop()
	if err != nil {
		return fmt.Errorf("chassis: %w", err)
	}
	return nil
}

// closeGateway ends what a grpc.ClientConn runs, even one that never connects.
func (i *instance) closeGateway() error {
	if i.app == nil || i.app.conn == nil {
		return nil
	}
	return i.app.conn.Close()
}

func (i *instance) closeIdentity() error {
	if i.closeSource == nil {
		return nil
	}
	return i.closeSource()
}

// flush sends what was measured. The admin port still answers, so that the last values can be scraped.
func (i *instance) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return i.telemetry.Flush(ctx)
}

func (i *instance) closeAdmin() {
	if i.admin == nil {
		return
	}
	defer func() {
		if i.stopRecorder != nil {
			i.stopRecorder()
		}
	}()
	i.admin.handler.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := i.admin.Shutdown(ctx); err != nil {
		_ = i.admin.Close() // a profile may run for minutes
	}
}

// closeTelemetry ends the exporters and writes out the log.
func (i *instance) closeTelemetry() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = i.telemetry.Shutdown(ctx) // nothing is left that could tell
}
