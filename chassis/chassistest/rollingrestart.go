package chassistest

import (
	"context"
	"crypto/tls"
	"maps"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis"
)

// What a rolling restart has where nobody says otherwise.
const (
	restartReplicas = 3
	restartRate     = 300
	restartRateRace = 100
	restartLag      = 2 * time.Second
	restartReserve  = time.Second // of the drain delay, over the lag
)

// RestartOptions shape a [RollingRestart]. The zero value asks for health and for a page that need not exist.
type RestartOptions struct {
	// Options are those of each replica. The environment has, where it does not say otherwise, a CHASSIS_DRAIN_DELAY a
	// second longer than Lag, CHASSIS_HTTP_TLS=true, and a log of warnings and failed calls. The replicas listen on free
	// ports of 127.0.0.1, and their certificates come from CA, whatever the environment says.
	Options

	// Caller is who calls: a name in [TrustDomain]. Empty for "client".
	Caller string

	// Call makes one call by gRPC. It is called many times at once, and must not repeat a call that has failed. Nil asks
	// grpc.health.v1, which goes the way of any call, but no handler of the service's own runs then.
	Call func(ctx context.Context, conn grpc.ClientConnInterface) error

	// Request makes one request by REST, to host rest as in [Running.HTTP]. Every answer from 400 up is a failure. Nil asks
	// for /, where an answer below 500 will do.
	Request func(ctx context.Context) (*http.Request, error)

	// Rate is how many calls a second are made, whether earlier ones have ended or not; the kinds of clients share them.
	// While a second's worth are under way, the machine is taken to be too busy, and no more are made. Zero for 300, or 100
	// with the race detector, which makes calls several times as dear.
	Rate int

	// Lag is for how long the endpoints go on listing a replica that was asked to stop. Zero for 2 s; 500 ms with -short.
	Lag time.Duration
}

// RollingRestart restarts three replicas of a service one after the other, under load, and fails the test for each call
// that is lost. It is a few lines in the test of any service:
//
//	func TestRollingRestart(t *testing.T) {
//		chassistest.RollingRestart(t, Service, chassistest.RestartOptions{
//			Call: func(ctx context.Context, conn grpc.ClientConnInterface) error {
//				_, err := hellov1.NewHelloServiceClient(conn).SayHello(ctx, &hellov1.SayHelloRequest{Name: "Ada"})
//				return err
//			},
//		})
//	}
//
// The replicas are real but for the process: they listen on TCP ports and speak mutual TLS. Each is asked to stop as by
// SIGTERM, and takes its new connections until the endpoints have followed, after Lag; a new one is started when it has
// ended, and listed when it is ready. Five kinds of clients call them all the time, none of which repeats a call: clients
// that have one connection, to any replica that is listed when they connect, as behind a cluster's address; a service that
// calls by App.Dial, and so by its balancing; clients that connect anew for each call; and by REST clients of net/http, by
// HTTP/1.1 and HTTP/2. The REST clients are left out where the service has no REST port.
//
// A call is lost when it returns an error, or when HTTP/1.1 had to send it twice. The restart is made once: nothing is
// tried again until it passes.
//
// A machine that stands still loses calls that no service can save. A goroutine beside the calls notes each time for which
// nothing ran for 100 ms or more, whatever held it up. A loss is put down to such a stall where the stall overlapped the
// call or had ended at most 100 ms before the call was made: the log names both, and the test does not fail for it. Every
// other loss fails the test. Where losses were put down to stalls, and stalls make up more than a tenth of the restart, the
// test fails as well, and says that it cannot tell: run it on a machine with less to do.
//
// It takes about five seconds for each replica; with -short only one is restarted. Service is called for each replica,
// because settings are read into what it returns.
func RollingRestart(t testing.TB, service func() chassis.Service, opts RestartOptions) {
	t.Helper()
	opts.defaults(t)
	x := &restart{t: t, service: service, opts: opts, endpoints: newEndpoints()}
	for range restartReplicas {
		x.replicas = append(x.replicas, x.start())
	}
	x.name, x.tls = x.replicas[0].name, x.replicas[0].TLSAs(x.opts.Caller)
	x.load = newLoad(t, x.clients(), opts.Rate)
	x.load.start()
	for i := range x.toRestart() {
		x.load.progress()
		x.replace(i)
	}
	x.load.progress()
	x.load.finish()
	for _, r := range x.replicas { // beside each other, as each has its drain delay
		r.RequestStop()
	}
	x.load.report()
}

// defaults fills in what is not set.
func (o *RestartOptions) defaults(t testing.TB) {
	t.Helper()
	if o.CA == nil {
		o.CA = commonCA(t, o.Peers)
	}
	if o.Caller == "" {
		o.Caller = defaultCaller
	}
	if o.Call == nil {
		o.Call = askHealth
	}
	if o.Rate <= 0 {
		o.Rate = restartRate
		if raceDetector {
			o.Rate = restartRateRace
		}
	}
	if o.Lag <= 0 {
		o.Lag = restartLag
		if testing.Short() {
			o.Lag /= 4
		}
	}
	env := map[string]string{
		"CHASSIS_DRAIN_DELAY": (o.Lag + restartReserve).String(), "CHASSIS_HTTP_TLS": "true",
		"CHASSIS_LOG_LEVEL": "WARN", "CHASSIS_LOG_REQUESTS": "failed", "OTEL_TRACES_SAMPLER": "always_off",
	}
	maps.Copy(env, o.Env)
	o.Env = env
}

func askHealth(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}

// restart is one rolling restart.
type restart struct {
	t         testing.TB
	service   func() chassis.Service
	opts      RestartOptions
	name      string      // of the service
	tls       *tls.Config // of its clients
	replicas  []*replica  // as they are now: clients must not ask
	endpoints *endpoints
	load      *load
}

func (x *restart) toRestart() int {
	if testing.Short() {
		return 1
	}
	return restartReplicas
}

// start starts a replica and lists it when it is ready.
func (x *restart) start() *replica {
	x.t.Helper()
	r := startReplica(x.t, x.service(), x.opts.Options)
	x.endpoints.add(r)
	return r
}

// replace asks a replica to stop, waits for its end and starts another in its place.
func (x *restart) replace(i int) {
	x.t.Helper()
	leaving, followed := x.replicas[i], make(chan struct{})
	x.load.signalled(i)
	time.AfterFunc(x.opts.Lag, func() { // before the request: a stall between the two must not use up the drain delay
		defer close(followed)
		x.endpoints.remove(leaving)
	})
	leaving.RequestStop()
	leaving.Stop()
	x.replicas[i] = x.start()
	<-followed
}
