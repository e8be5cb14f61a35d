package main

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
	"github.com/betmakers/paddock/chassis"
)

// Here the process that is measured is the client. It calls a bare grpc-go server in the parent,
// over one connection.

// clientContenders measure what a call costs its caller.
func clientContenders() []contender {
	var list []contender
	for _, transport := range []string{"plain", "mtls"} {
		prefix := "client/" + transport + "/"
		bare := prefix + "bare"
		list = append(list,
			contender{name: bare, baseline: bare, client: bareClient(callTimeout)},
			contender{name: prefix + "chassis", baseline: bare, client: chassisClient, env: clientEnv(transport, "0.1")},
		)
	}
	const bare = "client/plain/bare"
	return withDefaults(append(list,
		contender{name: bare + "-without-deadline", baseline: bare, client: bareClient(0)},
		contender{name: "client/plain/assembled", baseline: bare, client: assembledClient},
		contender{name: "client/plain/chassis-unrecorded", baseline: bare, client: chassisClient, env: clientEnv("plain", "0")},
	))
}

// callTimeout is what the contract of Echo says.
const callTimeout = 5 * time.Second

// echoCall makes one call.
type echoCall func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error)

// bareClient is grpc-go without any feature but a deadline, which no caller should do without.
func bareClient(timeout time.Duration, options ...grpc.DialOption) func(context.Context, setup) (echoCall, error) {
	return func(_ context.Context, s setup) (echoCall, error) {
		creds := insecure.NewCredentials()
		if s.tls != nil {
			config, err := s.certs.ClientTLS(generator, "h2")
			if err != nil {
				return nil, err
			}
			creds = credentials.NewTLS(config)
		}
		conn, err := grpc.NewClient("passthrough:///"+s.target, append(options, grpc.WithTransportCredentials(creds))...)
		if err != nil {
			return nil, err
		}
		client := echov1.NewEchoServiceClient(conn)
		if timeout == 0 {
			return func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
				return client.Echo(ctx, req)
			}, nil
		}
		return func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return client.Echo(ctx, req)
		}, nil
	}
}

// assembledClient is what a careful team puts together: traces, metrics, a deadline and a retry
// policy.
func assembledClient(ctx context.Context, s setup) (echoCall, error) {
	metrics := grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram())
	if err := prometheus.NewRegistry().Register(metrics); err != nil {
		return nil, err
	}
	return bareClient(callTimeout,
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(tracerProvider()),
			otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
		)),
		grpc.WithChainUnaryInterceptor(metrics.UnaryClientInterceptor()),
		grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s",
			"maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`),
	)(ctx, s)
}

// chassisClient is a service that dials echo.
func chassisClient(ctx context.Context, s setup) (echoCall, error) {
	registerDrop()
	if err := os.Setenv("CHASSIS_ECHO_TARGET", "passthrough:///"+s.target); err != nil {
		return nil, err
	}
	var conn *grpc.ClientConn
	ready := make(chan struct{})
	service := chassis.Service{
		Name: "caller",
		Setup: func(ctx context.Context, app *chassis.App) (err error) {
			conn, err = app.Dial(ctx, "echo")
			return err
		},
		OnEvent: func(e chassis.Event) {
			if e.Step == chassis.Ready {
				close(ready)
			}
		},
	}
	go reportEnd(func() error { return chassis.Run(ctx, service) })
	<-ready
	client := echov1.NewEchoServiceClient(conn)
	return func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
		return client.Echo(ctx, req)
	}, nil
}

// clientEnv is chassisEnv with a share of calls to be recorded.
func clientEnv(transport, recorded string) func(certDir) []string {
	return func(dir certDir) []string {
		return append(chassisEnv(transport)(dir), "OTEL_TRACES_SAMPLER_ARG="+recorded) // the last of one name holds
	}
}

// repeat makes n calls, so many at once.
func (call echoCall) repeat(n, atOnce int) error {
	var taken atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil && taken.Add(1) <= int64(n) {
				answer, err := call(context.Background(), &echov1.EchoRequest{Message: message})
				if err == nil && answer.GetMessage() != message {
					err = errors.New("the answer is not what was sent")
				}
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// remote has a client process make its calls.
type remote struct {
	p *process
}

func (r remote) run(calls int) (ran, error) {
	began := time.Now()
	u, err := r.p.ask(commandCalls(calls))
	if err == nil && u.Failed != "" {
		err = errors.New(u.Failed)
	}
	return ran{took: time.Since(began)}, err
}

func (remote) close() error { return nil }

// target is the server that clients call: in this process, on the generator's core.
type target struct {
	addr   string
	server *grpc.Server
	ended  chan error
}

func startTarget(certs certDir, secured bool) (*target, error) {
	var options []grpc.ServerOption
	if secured {
		config, err := certs.ServerTLS()
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &target{listener.Addr().String(), grpc.NewServer(options...), make(chan error, 1)}
	echov1.RegisterEchoServiceServer(t.server, &echo{})
	go func() { t.ended <- t.server.Serve(listener) }()
	return t, nil
}

func (t *target) stop() error {
	t.server.Stop()
	return <-t.ended
}

// targets are the servers that the clients of a list need, by whether they are secured.
type targets map[bool]*target

func (all targets) of(c contender, certs certDir) (addr string, err error) {
	if c.client == nil {
		return "", nil
	}
	if all[c.tls()] == nil {
		if all[c.tls()], err = startTarget(certs, c.tls()); err != nil {
			delete(all, c.tls())
			return "", err
		}
	}
	return all[c.tls()].addr, nil
}

func (all targets) stop() error {
	var errs []error
	for _, t := range all {
		errs = append(errs, t.stop())
	}
	return errors.Join(errs...)
}
