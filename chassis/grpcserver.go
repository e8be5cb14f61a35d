package chassis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients of other languages compress by default
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/betmakers/paddock/chassis/mtls"
)

// streamWorkers is the number of goroutines that serve calls and keep their grown stacks; further calls get goroutines
// of their own. docs/performance.md has the measurement.
const streamWorkers = 64

// keepaliveTimeout is how long a pinged connection has to answer.
const keepaliveTimeout = 20 * time.Second

// newGRPCServer returns the server with its limits and everything that Setup registered.
func (i *instance) newGRPCServer() (*grpc.Server, error) {
	credentials := plaintext()
	if i.identity.source != nil {
		var err error
		credentials, err = mtls.ServerCredentials(i.identity.source, mtls.ObserverOptions{Logger: i.log, Registerer: i.telemetry.Registry()})
		if err != nil {
			return nil, err
		}
	}
	messages, err := newCodec()
	if err != nil {
		return nil, err
	}
	c := &i.cfg
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(messages),
		grpc.Creds(credentials),
		grpc.UnknownServiceHandler(i.chain.Unknown),
		grpc.MaxRecvMsgSize(c.MaxMessageBytes),
		grpc.MaxSendMsgSize(c.MaxMessageBytes),
		grpc.MaxHeaderListSize(uint32(c.MaxHeaderBytes)), //nolint:gosec // validated to fit 31 bits
		grpc.MaxConcurrentStreams(uint32(c.MaxStreams)),  //nolint:gosec // the same
		grpc.ConnectionTimeout(c.ConnectTimeout),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.KeepaliveMinTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: c.MaxConnectionAge, MaxConnectionAgeGrace: c.MaxConnectionGrace,
			Time: c.KeepaliveTime, Timeout: keepaliveTimeout,
		}),
	}
	if i.chain.BoundsStreams() {
		options = append(options, grpc.InTapHandle(i.chain.Tap))
	}
	s := grpc.NewServer(options...)
	for _, registered := range i.app.services {
		s.RegisterService(registered.desc, registered.impl)
	}
	return s, nil
}

// registerOwnServices adds what the chassis serves beside the service: health, and in development reflection.
func (i *instance) registerOwnServices() {
	for _, registered := range i.app.services {
		i.health.AddService(registered.desc.ServiceName)
	}
	healthpb.RegisterHealthServer(i.app, i.health.GRPC())
	if i.cfg.development() {
		reflection.Register(reflected{i.app})
	}
}

// reflected lets the reflection service list what is registered with the App.
type reflected struct{ *App }

func (r reflected) GetServiceInfo() map[string]grpc.ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	info := make(map[string]grpc.ServiceInfo, len(r.services))
	for _, s := range r.services {
		info[s.desc.ServiceName] = grpc.ServiceInfo{Metadata: s.desc.Metadata}
	}
	return info
}

// bindPorts opens every port before it serves on any: a service answers on all of them or does not start.
func (i *instance) bindPorts(ctx context.Context) (string, error) {
	server, err := i.newGRPCServer()
	if err != nil {
		return "", err
	}
	listener, err := i.listen(ctx, "grpc", i.cfg.GRPCAddr)
	if err != nil {
		server.Stop() // its workers run already
		return "", fmt.Errorf("gRPC: CHASSIS_GRPC_ADDR: %w", err)
	}
	detail := "gRPC on " + listener.Addr().String()
	rest, err := i.newHTTPServer(ctx)
	if err != nil {
		server.Stop()
		return "", errors.Join(err, listener.Close())
	}
	i.mu.Lock()
	i.grpc, i.http = &grpcServer{Server: server, listener: listener, done: make(chan error, 1)}, rest
	i.mu.Unlock()
	go func() { i.grpc.done <- i.grpc.Serve(listener) }()
	if rest != nil {
		i.http.serve()
		detail += ", REST on " + rest.listener.Addr().String()
	}
	return detail, nil
}
