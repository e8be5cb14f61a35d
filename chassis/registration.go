package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// registration says what becomes of what is registered with an App.
type registration int

const (
	registering registration = iota // Setup runs
	registered                      // Setup has returned: what is registered is fixed
	ended                           // Setup has failed or was left behind, or the service stops
)

// errEnded is the error of a registration that comes when the service has failed to start, or stops.
var errEnded = errors.New("chassis: the registration has no effect: the service has failed to start, or is stopping")

// errNothing is the error of a Setup that registers nothing that is served or runs. One that has a connection to another
// service or a client may work by itself, which cannot be seen.
var errNothing = errors.New("chassis: nothing is registered, so the service would do nothing: " +
	"register a gRPC service (RegisterXServer(app, ...)), a handler (app.Handle) or a worker (app.Go); " +
	"start your own goroutines with app.Go")

// collect runs register with the lock of a. Its error is one of the start.
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

// late panics when what is registered is fixed. When the service has failed to start, or stops, it returns an error
// instead: a goroutine that Setup has left behind must not end the process then, with the calls and the services beside
// it. The lock of a is held.
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

// setUp runs Setup. Its error has everything that is wrong with what was registered, also where Setup returns an error
// itself, or panics.
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

// check finds what is wrong with all that Setup has registered together.
func (a *App) check() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.state == ended: // Setup was left behind, and nobody waits for it any more
		return errEnded
	case !a.something:
		return errNothing
	default:
		return nil
	}
}

// close ends the registration and returns what was wrong with it.
func (a *App) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == registering {
		a.state = registered
	}
	return errors.Join(a.errs...)
}

// end lets nothing more be registered, and returns what was wrong with what is.
func (a *App) end() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = ended
	return errors.Join(a.errs...)
}

// checkFields finds values that would make every call panic.
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
	return errs
}
