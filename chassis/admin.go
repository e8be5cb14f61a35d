package chassis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/trace"
	"sync"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

// adminPort is the port of probes, metrics and debug pages. close may be called at any time.
type adminPort struct {
	mu      sync.Mutex
	closed  bool
	server  *httpServer // nil before serve; not changed after it
	handler *admin.Handler

	stopRecorder func() // of the flight recorder; nil if there is none
}

// serve serves handler on an opened port and takes ownership of it. Recorder may be nil. After
// close, it closes the port.
func (a *adminPort) serve(server *httpServer, handler *admin.Handler, recorder *trace.FlightRecorder) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if recorder != nil {
		a.stopRecorder = recorder.Stop
	}
	if a.closed {
		a.endRecorder()
		handler.Close()
		return errors.Join(errors.New("the service has stopped"), server.listener.Close())
	}
	server.Handler = handler
	a.server, a.handler = server, handler
	server.serve()
	return nil
}

// addr is the port's address. It must not be called before serve has returned.
func (a *adminPort) addr() net.Addr { return a.server.listener.Addr() }

// closeAdminTimeout is the time for running answers at the admin port.
const closeAdminTimeout = 100 * time.Millisecond

// close closes the port, also one that is still being opened.
func (a *adminPort) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	defer a.endRecorder()
	if a.server == nil {
		return
	}
	a.handler.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeAdminTimeout)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		_ = a.server.Close() // a profile may run for minutes
	}
}

func (a *adminPort) endRecorder() {
	if a.stopRecorder != nil {
		a.stopRecorder()
	}
}

// startFlightRecorder keeps the last seconds of the execution trace. A process has one recorder,
// which belongs to the service that starts first. It returns nil for the others, whose pages then
// report that there is none.
func startFlightRecorder(log *slog.Logger) *trace.FlightRecorder {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		log.Debug("no flight recorder", "error", err.Error())
		return nil
	}
	return recorder
}
