package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/betmakers/paddock/internal/inbound"
)

// registration is the state of an App: it decides what a method that registers does.
type registration int

const (
	registering registration = iota // Setup runs
	registered                      // Setup has returned: what is registered is fixed
	ended                           // Setup has failed or was left behind, or the service stops
)

// errEnded is the error of a registration after the start has failed or the stop has begun.
var errEnded = errors.New("chassis: the registration has no effect: the service has failed to start, or is stopping")

// errNothing is the error of a Setup that registers nothing. A Setup that makes a connection or a
// client is accepted, because it may work with it by itself.
var errNothing = errors.New("chassis: nothing is registered, so the service would do nothing: " +
	"register a gRPC service (RegisterXServer(app, ...)), a handler (app.Handle) or a worker (app.Go); " +
	"start your own goroutines with app.Go")

// collect runs register while it holds the lock of a, and collects its error for the start.
func (a *App) collect(method string, register func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.late(method) != nil {
		return
	}
	if err := register(); err != nil {
		a.errs = append(a.errs, err)
	}
}

// late panics if Setup has returned. If the start has failed or the stop has begun, it returns an
// error instead, because a goroutine that outlives Setup must not crash the process then. The
// caller holds the lock of a.
func (a *App) late(method string) error {
	switch a.state {
	case registered:
		panic(fmt.Errorf("chassis: App.%s was called after Setup had returned: call it in Setup", method))
	case ended:
		a.instance.log.LogAttrs(context.Background(), slog.LevelWarn, "a registration has no effect: the service has failed to start, or is stopping",
			slog.String("method", "App."+method))
		return errEnded
	default:
		return nil
	}
}

// setUp runs Setup. Its error includes all mistakes in registrations, even if Setup itself
// returns an error or panics.
func (a *App) setUp(ctx context.Context, setup func(context.Context, *App) error) (err error) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			err = misstep{panicked(a.instance.log, "setting up the service", p)}
		}
		if err != nil || !returned { // not returned: it has ended its goroutine
			err = errors.Join(err, a.end())
		}
	}()
	err = setup(ctx, a)
	returned = true
	if err == nil {
		err = a.check()
	}
	return err
}

// check finds mistakes in the registrations as a whole.
func (a *App) check() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.state == ended: // Setup was left behind, and its result is not used
		return errEnded
	case !a.something:
		return errNothing
	default:
		return nil
	}
}

// close ends the registration and returns its mistakes.
func (a *App) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == registering {
		a.state = registered
	}
	return errors.Join(a.errs...)
}

// end rejects further registrations, and returns the mistakes in earlier ones.
func (a *App) end() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = ended
	return errors.Join(a.errs...)
}

// checkFields rejects values that would make every call panic.
func (s *Service) checkFields() (errs []error) {
	if s.Tokens != nil && isNil(s.Tokens) {
		errs = append(errs, fmt.Errorf("Service.Tokens is a nil %T: remove it, or pass a verifier, and check the error of its constructor", s.Tokens))
	}
	for n, interceptor := range s.UnaryInterceptors {
		if interceptor == nil {
			errs = append(errs, fmt.Errorf("Service.UnaryInterceptors[%d] is nil: remove it", n))
		}
	}
	for n, interceptor := range s.StreamInterceptors {
		if interceptor == nil {
			errs = append(errs, fmt.Errorf("Service.StreamInterceptors[%d] is nil: remove it", n))
		}
	}
	return append(errs, s.checkHTTP()...)
}

// checkHTTP does the same for the fields about HTTP.
func (s *Service) checkHTTP() (errs []error) {
	for n, middleware := range s.HTTPMiddleware {
		if middleware == nil {
			errs = append(errs, fmt.Errorf("Service.HTTPMiddleware[%d] is nil: remove it", n))
		}
	}
	for n, option := range s.GatewayOptions {
		if option == nil {
			errs = append(errs, fmt.Errorf("Service.GatewayOptions[%d] is nil: remove it", n))
		}
	}
	for _, name := range s.HTTPHeaders {
		if err := inbound.CheckHeader(name); err != nil {
			errs = append(errs, fmt.Errorf("Service.HTTPHeaders: %w", err))
		}
	}
	return errs
}
