package chassistest

import (
	"context"
	"crypto/tls"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis"
)

// Defaults of a rolling restart.
const (
	restartReplicas = 3
	restartRate     = 300
	restartRateRace = 100
	restartLag      = 2 * time.Second
	restartReserve  = time.Second // of the drain delay, over the lag
)

// RestartOptions configure a [RollingRestart]. With the zero value, clients call the health
// service and request /, which need not exist.
type RestartOptions struct {
	// Options are the options of each replica. Unless the environment sets them otherwise,
	// CHASSIS_DRAIN_DELAY is a second longer than Lag, CHASSIS_HTTP_TLS is true, and the log has
	// warnings and failed calls. The replicas always listen on free ports of 127.0.0.1, with
	// certificates of CA.
	Options

	// Caller is the name of the caller in [TrustDomain]. Empty means "client".
	Caller string

	// Call makes one gRPC call. It is called concurrently, and must not retry a failed call. Nil
	// calls grpc.health.v1, which passes through the chassis like any call but runs no handler of
	// the service.
	Call func(ctx context.Context, conn grpc.ClientConnInterface) error

	// Request returns one REST request, to host rest as in [Running.HTTP]. Each answer with
	// status 400 or above is a failure. Nil requests /, where each answer below 500 is a success.
	Request func(ctx context.Context) (*http.Request, error)

	// Rate is the number of calls per second, shared by the kinds of clients. Calls are made
	// whether earlier ones have ended or not. While a full second of calls is in flight, the
	// machine counts as too busy and no more are made. Zero means 300, or 100 with the race
	// detector, which makes calls several times as expensive.
	Rate int

	// Lag is the time for which the endpoints still list a replica that was asked to stop. Zero
	// means 2 s, or 500 ms with -short.
	Lag time.Duration
}

// RollingRestart restarts three replicas of a service one after the other, under load, and fails
// the test for each lost call. It is a few lines in the test of any service:
//
//	func TestRollingRestart(t *testing.T) {
//		chassistest.RollingRestart(t, Service, chassistest.RestartOptions{
//			Call: func(ctx context.Context, conn grpc.ClientConnInterface) error {
//				hello := hellov1.NewHelloServiceClient(conn)
//				_, err := hello.SayHello(ctx, &hellov1.SayHelloRequest{Name: "Ada"})
//				return err
//			},
//		})
//	}
//
// The replicas listen on TCP ports and use mutual TLS. Only the process is not real. Each replica
// is asked to stop as by SIGTERM, and still gets new connections until the endpoints drop it,
// after Lag. A new replica is started when the old one has ended, and listed when it is ready.
//
// Five kinds of clients call all the time. None of them retries a call:
//
//   - clients with one connection, to any replica that is listed when they connect, as behind a
//     cluster's address
//   - a service that calls by App.Dial, with its balancing
//   - clients that open a connection for each call
//   - REST clients of net/http by HTTP/1.1, if the service has a REST port
//   - REST clients of net/http by HTTP/2, if the service has a REST port
//
// A call is lost if it returns an error, or if HTTP/1.1 had to send it twice. The restart runs
// once and is never repeated until it passes.
//
// A machine that stalls loses calls that no service can save. A goroutine records each stall: a
// time of 100 ms or more in which nothing ran.
//
//   - A loss is excused, and logged with its stall, if the call overlapped the stall or was made
//     at most 100 ms after its end.
//   - Every other loss fails the test.
//   - If losses were excused and stalls make up more than a tenth of the restart, the test fails
//     as inconclusive: run it on a less busy machine.
//
// It takes about 5 s for each replica; with -short only one is restarted. Service is called for
// each replica, because settings are read into its result.
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

// defaults sets the options that are not set.
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
		if race.Detector {
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

// replace asks a replica to stop, waits for its end and starts a new one.
func (x *restart) replace(i int) {
	x.t.Helper()
	leaving, followed := x.replicas[i], make(chan struct{})
	x.load.signalled(i)
	time.AfterFunc(x.opts.Lag, func() { // first: a stall in between must not use up the drain delay
		defer close(followed)
		x.endpoints.remove(leaving)
	})
	leaving.RequestStop()
	leaving.Stop()
	x.replicas[i] = x.start()
	<-followed
}
