package chassistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/harness"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// patience bounds every wait for the service, so that a test that hangs reports what it waited
// for.
const patience = time.Minute

// Options configure the surroundings of a service. The zero value is a developer's machine
// without settings.
type Options struct {
	// Env is the whole environment of the service. It is added to defaults for tests:
	//
	//	CHASSIS_ENVIRONMENT      development
	//	CHASSIS_LOG_FORMAT       text
	//	CHASSIS_FLIGHT_RECORDER  false
	//	OTEL_TRACES_SAMPLER      always_on
	//
	// If it sets CHASSIS_MTLS, the service gets its certificates from there and not from CA.
	// OpenTelemetry exporters are an exception: they read the environment of the process.
	Env map[string]string

	// CA mints the certificates of the service and its callers. Nil uses the CA of the Peers, or
	// makes a new one.
	CA *CA

	// Peers are the services that this one reaches in memory by Dial, keyed by the dialled name.
	// CHASSIS_<NAME>_TARGET takes precedence. All Peers must share a CA, or their identities are
	// refused.
	Peers map[string]*Running
}

// Running is a started service. Its methods may be called concurrently.
type Running struct {
	t        testing.TB
	name     string
	env      map[string]string
	ca       *CA
	network  *network
	seen     *seen
	output   *output
	group    *leakcheck.Group
	cancel   context.CancelCauseFunc
	ended    chan struct{} // closed when Run has returned, and err is set
	err      error
	reported sync.Once // err has been given to the test
	looked   sync.Once // for goroutines left behind
}

// Start runs service and returns when it is ready for calls. If it cannot start, the test fails at
// once.
//
// An Example has no test to pass: it gives nil, to [TryStart] and [Begin] too. Then what would fail
// a test panics, the log goes nowhere, and [Running.Stop] has to be called, as no end of a test
// does it.
func Start(t testing.TB, service chassis.Service, opts Options) *Running { //nolint:thelper // t may be nil
	t = testOr(t)
	t.Helper()
	r, err := TryStart(t, service, opts)
	if err != nil {
		t.Fatalf("chassistest: %s did not start: %v", service.Name, err)
	}
	return r
}

// TryStart is Start for a service whose start may fail. It then returns the error of [chassis.Run],
// and a Running with the logs and events up to the failure.
func TryStart(t testing.TB, service chassis.Service, opts Options) (*Running, error) { //nolint:thelper // t may be nil
	t = testOr(t)
	t.Helper()
	r := Begin(t, service, opts)
	if r.reached(chassis.Ready) {
		return r, nil
	}
	return r, r.Wait()
}

// Begin runs service and returns without waiting; see [Running.WaitFor].
func Begin(t testing.TB, service chassis.Service, opts Options) *Running { //nolint:thelper // t may be nil
	t = testOr(t)
	t.Helper()
	return begin(t, service, opts, func(*harness.Harness) {})
}

// begin is Begin with a harness that change may alter.
func begin(t testing.TB, service chassis.Service, opts Options, change func(*harness.Harness)) *Running {
	t.Helper()
	if opts.CA == nil {
		opts.CA = commonCA(t, opts.Peers)
	}
	r := &Running{
		t: t, name: service.Name, env: environment(opts.Env), ca: opts.CA, network: newNetwork(), seen: newSeen(),
		output: &output{w: t.Output()}, group: leakcheck.NewGroup(), ended: make(chan struct{}),
	}
	service.OnEvent = r.seen.record(service.OnEvent)
	h := r.harness(opts)
	change(h)
	ctx, cancel := context.WithCancelCause(harness.With(context.WithoutCancel(t.Context()), h))
	r.cancel = cancel
	go r.group.Do(func() {
		defer close(r.ended)
		r.err = chassis.Run(ctx, service)
	})
	t.Cleanup(r.cleanUp)
	return r
}

// commonCA returns the CA of the peers, a new one if there are none.
func commonCA(t testing.TB, peers map[string]*Running) *CA {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		return peers[name].ca
	}
	return NewCA(t)
}

// environment adds env to the defaults for tests.
func environment(env map[string]string) map[string]string {
	all := map[string]string{
		"CHASSIS_ENVIRONMENT": "development", "CHASSIS_LOG_FORMAT": "text", "CHASSIS_FLIGHT_RECORDER": "false",
		"OTEL_TRACES_SAMPLER": "always_on",
	}
	maps.Copy(all, env)
	return all
}

func (r *Running) harness(opts Options) *harness.Harness {
	h := &harness.Harness{
		Environ: []string{}, Listen: r.network.listen, Output: r.output, Peers: map[string]harness.Peer{},
		Processors: []sdktrace.SpanProcessor{r.seen.spans}, Handlers: []slog.Handler{r.seen.lines.handler()},
		Registered: r.seen.registered, Methods: r.seen.declared,
		LookupHost: func(_ context.Context, host string) ([]string, error) { // there are no other instances
			return nil, &net.DNSError{Err: "there is no DNS in a test", Name: host, IsNotFound: true}
		},
	}
	for name, peer := range opts.Peers {
		h.Peers[name] = harness.Peer{Target: "passthrough:///" + name, Options: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return peer.network.dial(ctx, "grpc") }),
		}}
	}
	for name, value := range r.env {
		h.Environ = append(h.Environ, name+"="+value)
	}
	if _, chosen := opts.Env["CHASSIS_MTLS"]; !chosen {
		h.Source = r.ca.source(r.t, r.name)
	}
	return h
}

// WaitFor returns when the service has taken step, at once if it already has. The test fails at
// once if the service ends without it or has not taken it within a minute.
func (r *Running) WaitFor(step chassis.Step) {
	r.t.Helper()
	if !r.reached(step) {
		r.t.Fatalf("chassistest: %s ended without the step %q: it took %s; Run returned: %v", r.name, step, r.seen.steps(), r.Wait())
	}
}

// reached waits for a step and reports whether it was taken before the end.
func (r *Running) reached(step chassis.Step) bool {
	r.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		taken, changed := r.seen.took(step)
		if taken {
			return true
		}
		select {
		case <-changed:
		case <-r.ended:
			taken, _ := r.seen.took(step)
			return taken
		case <-timeout.C:
			r.t.Fatalf("chassistest: %s has not taken the step %q within %s: it took %s", r.name, step, patience, r.seen.steps())
		}
	}
}

// RequestStop requests a stop, like a first signal, and returns without waiting. Further calls do
// nothing.
func (r *Running) RequestStop() { r.cancel(errStop) }

var errStop = errors.New("the test asks for a stop")

// Wait waits until the service has ended and returns the error of [chassis.Run]. It requests no
// stop. The test has to check the error: Wait itself never fails it.
func (r *Running) Wait() error {
	r.t.Helper()
	r.await()
	r.reported.Do(func() {})
	return r.err
}

func (r *Running) await() {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("chassistest: %s has not ended within %s: it took %s", r.name, patience, r.seen.steps())
	}
}

// Stop stops the service gracefully and waits for its end. It fails the test if [chassis.Run]
// returned an error that [Running.Wait] has not returned, or if goroutines of the service are
// left after 5 s. It is called automatically at the end of the test. Further calls do nothing.
func (r *Running) Stop() {
	r.t.Helper()
	r.RequestStop()
	r.await()
	r.reported.Do(func() {
		if r.err != nil {
			r.t.Errorf("chassistest: %s: Run returned: %v", r.name, r.err)
		}
	})
	r.leaks(r.t)
	if _, ok := r.t.(outside); ok {
		r.network.closeClients()
	}
}

// leaks fails t if goroutines are left. It runs once, because the check takes seconds.
func (r *Running) leaks(t testing.TB) {
	t.Helper()
	r.looked.Do(func() {
		if left := r.group.Left(); len(left) > 0 {
			t.Errorf("chassistest: %s left goroutines behind:\n\n%s", r.name, strings.Join(left, "\n\n"))
		}
	})
}

func (r *Running) cleanUp() {
	r.t.Helper()
	r.network.closeClients()
	r.Stop()
	r.output.close()
}

// output writes the service's log to the test's, until the test is over.
type output struct {
	mu     sync.Mutex
	w      io.Writer
	closed bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, fmt.Errorf("chassistest: %w", errStop)
	}
	return o.w.Write(p)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
