package chassis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrCallsCut says that calls or HTTP requests still ran when the time for them had passed, 3 s before the end of
// CHASSIS_SHUTDOWN_TIMEOUT, and were cut. The error that wraps it names them.
var ErrCallsCut = errors.New("calls were cut at the deadline of the shutdown")

// What of CHASSIS_SHUTDOWN_TIMEOUT is kept for what comes after the calls. The last part is the telemetry's own, the
// part before it the workers' and the stop functions'. Who comes later has what those before have left besides.
const (
	telemetryReserve = 2 * time.Second
	stopReserve      = time.Second + telemetryReserve
)

// flushTimeout bounds the last export of telemetry, which has a context of its own: the one of the calls may be spent.
const flushTimeout = 2 * time.Second

// closeTimeout bounds what comes after the flush: half of it a last export, half the log's last lines, which tell
// what was lost also where the machine stands still for a moment.
const closeTimeout = 800 * time.Millisecond

// closeAdminTimeout is for answers under way at the admin port.
const closeAdminTimeout = 100 * time.Millisecond

// stop takes the steps of the end, in the order of the constants of Step: one owner, one order, one deadline. What was
// never started is passed over. The stop was asked for, or something failed.
func (i *instance) stop(asked, failed error) error {
	if i.telemetry == nil {
		return nil // it never came further than its settings
	}
	serving := i.phaseNow() == phases[1] // else nobody was sent here yet
	i.requestStop(asked, failed)
	i.endRegistration()
	end := i.stopEnd()
	calls, cancelCalls := context.WithDeadline(context.Background(), end.Add(-stopReserve))
	defer cancelCalls()
	workers, cancelWorkers := context.WithDeadline(context.Background(), end.Add(-telemetryReserve))
	defer cancelWorkers()
	var errs []error

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
	err := i.stopWorkers(workers)
	i.emit(WorkersStopped, "", err)
	i.closeHTTPClients()
	errs = append(errs, err, i.closeGateway(), i.closeDials(), i.closeIdentity())
	err = i.flush(end.Add(-closeTimeout - closeAdminTimeout - closeAuditTimeout))
	i.emit(TelemetryFlushed, "", err)
	i.closeAdmin()
	i.emit(AdminClosed, "", nil)
	i.closeAuditLog()
	i.emit(Stopped, fmt.Sprintf("after %s", time.Since(i.stopBegun).Round(time.Millisecond)), nil)
	i.closeTelemetry()
	return errors.Join(errs...)
}

// stopWorkers ends the workers, and beside them the health checks, whose probes may take as long.
func (i *instance) stopWorkers(ctx context.Context) error {
	checks := make(chan error, 1)
	go func() { checks <- i.stopHealth() }()
	err := i.workers.stop(ctx)
	return errors.Join(err, <-checks)
}

// requestStop is the first step of the stop, and begins its time. A further call does nothing: a stop that is asked for
// during the start begins there.
func (i *instance) requestStop(asked, failed error) {
	if i.stopBegun.IsZero() {
		i.stopBegun = time.Now()
		i.emit(StopRequested, text(asked), failed)
	}
}

// stopEnd is when everything must have ended.
func (i *instance) stopEnd() time.Time { return i.stopBegun.Add(i.cfg.ShutdownTimeout) }

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

// finishCalls closes the service's ports and waits for the calls in flight, until ctx ends: then it cuts them. Streams
// that have not ended by themselves are ended before.
func (i *instance) finishCalls(ctx context.Context) error {
	finished := make(chan struct{})
	go func() {
		if i.finishGracefully(ctx) {
			close(finished)
		}
	}()
	at, _ := ctx.Deadline()
	left := time.Until(at)
	streams, uploads := time.NewTimer(streamGrace(left)), time.NewTimer(uploadGrace(left))
	defer streams.Stop()
	defer uploads.Stop()
	for {
		select {
		case <-finished:
			return nil
		case <-streams.C:
			i.endStreams(false)
		case <-uploads.C:
			i.endStreams(true)
		case <-ctx.Done():
			return i.cutCalls()
		}
	}
}

// streamGrace is how long streams may go on after they were told to end, out of what calls have. Where the server
// sends, a stream may have no end of its own.
func streamGrace(left time.Duration) time.Duration { return max(left, 0) / 2 }

// uploadGrace is the same for streams that the client alone sends, which end when it has sent everything: they have
// nearly all of the time, less what a handler needs to come back.
func uploadGrace(left time.Duration) time.Duration {
	return max(left, 0) - min(time.Second, max(left, 0)/4)
}

func (i *instance) endStreams(uploads bool) {
	if n := i.chain.EndStreams(uploads); n > 0 {
		i.log.Info("streams had not ended by themselves: their contexts end", "streams", n)
	}
}

// finishGracefully ends HTTP and gRPC beside each other: neither waits for calls of the other. It reports whether all
// calls have ended, and gives up with ctx.
func (i *instance) finishGracefully(ctx context.Context) bool {
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
	for len(i.chain.InFlight()) > 0 {
		if ctx.Err() != nil {
			return false
		}
		sleep(ctx, hijackedPoll) // handlers that have hijacked their connections, which net/http does not wait for
	}
	return true
}

// answerTime is for the answers to requests that are cut: HTTP/2 sends them behind the back of who writes, and their ends
// when handlers return, as those do whose contexts have ended.
const answerTime = 20 * time.Millisecond

// hijackedPoll is how often it is looked whether such handlers still run, as net/http does for others.
const hijackedPoll = 10 * time.Millisecond

// cutCalls ends every connection, and names the calls that it cuts. Handlers that ignore their context run on until the
// process ends; Stop does not wait for them, and is given a goroutine all the same.
func (i *instance) cutCalls() error {
	cut := i.inFlight()
	answered := i.chain.Cut()
	if i.http != nil {
		i.http.cut(ErrCallsCut)
		if answered > 0 {
			time.Sleep(answerTime)
		}
		_ = i.http.Close()
	}
	if i.grpc != nil {
		go i.grpc.Stop()
	}
	if cut == "" {
		return nil // only idle connections were left
	}
	return fmt.Errorf("%w: %s", ErrCallsCut, cut)
}

// inFlight names the methods and routes that run, with the number of their calls.
func (i *instance) inFlight() string {
	running := i.chain.InFlight()
	var named []string
	for _, name := range slices.Sorted(maps.Keys(running)) {
		named = append(named, fmt.Sprintf("%s (%d)", name, running[name]))
	}
	return strings.Join(named, ", ")
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
	app := i.appNow()
	if app == nil {
		return nil
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if app.conn == nil {
		return nil
	}
	return app.conn.Close()
}

// endRegistration leaves what is registered from now on without effect.
func (i *instance) endRegistration() {
	if app := i.appNow(); app != nil {
		_ = app.end() // the start has reported what was wrong
	}
}

// appNow returns what Setup has, nil before there is one. A Setup that was left behind may still use it.
func (i *instance) appNow() *App {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.app
}

func (i *instance) closeIdentity() error {
	if i.left == IdentityReady || i.closeSource == nil {
		return nil
	}
	return i.closeSource()
}

// flush sends what was measured, and writes what was recorded, until end at the latest. The admin port still answers, so that the last values can be
// scraped.
func (i *instance) flush(end time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), min(flushTimeout, time.Until(end)))
	defer cancel()
	recorded := make(chan error, 1)
	go func() { recorded <- i.audit.Flush(ctx) }()
	err := i.telemetry.Flush(ctx)
	return errors.Join(err, <-recorded)
}

func (i *instance) closeAdmin() {
	if i.left == AdminListening || i.admin == nil {
		return
	}
	defer func() {
		if i.stopRecorder != nil {
			i.stopRecorder()
		}
	}()
	i.admin.handler.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeAdminTimeout)
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
