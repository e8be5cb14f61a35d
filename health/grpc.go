package health

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// AddService makes grpc.health.v1 answer for the gRPC service with that full name. The answer is
// always that of the whole server, whose name is empty. Adding a name again does nothing.
func (m *Monitor) AddService(name string) { m.readiness.answerFor(name) }

// GRPC returns the implementation of grpc.health.v1, with Check, List and Watch. For names that
// AddService was not called with, Check returns NOT_FOUND and Watch sends SERVICE_UNKNOWN, as the
// protocol requires.
func (m *Monitor) GRPC() healthpb.HealthServer {
	return &server{Server: m.readiness.server, unwatch: m.unwatch}
}

// EndWatches ends every Watch, now and later, with UNAVAILABLE. A graceful stop of a gRPC server
// waits for its streams, and watches never end by themselves. Call it after SetServing(false), so
// that watchers see that state first. Stop calls it too. Further calls do nothing.
func (m *Monitor) EndWatches() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watching {
		m.watching = false
		close(m.unwatch)
	}
}

func servingStatus(ready bool) healthpb.HealthCheckResponse_ServingStatus {
	if ready {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

// server is grpc-go's health server, which can also end its watches.
type server struct {
	*grpchealth.Server
	unwatch <-chan struct{}
}

func (s *server) Watch(in *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	watched := make(chan error, 1)
	go func() { watched <- s.Server.Watch(in, &watchStream{stream, ctx}) }()
	select {
	case err := <-watched:
		return err
	case <-s.unwatch:
		cancel()
		<-watched //nolint:errcheck // the error of a cancelled context, which is ours
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
}

// watchStream is a stream with an additional context that can end it.
type watchStream struct {
	grpc.ServerStreamingServer[healthpb.HealthCheckResponse]
	ctx context.Context
}

func (w *watchStream) Context() context.Context { return w.ctx }
