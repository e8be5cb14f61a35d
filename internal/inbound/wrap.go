package inbound

import (
	"context"
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
)

func newMethod(s *Server, record *contract.Method, handler func(*call) error) *Method {
	m := &Method{
		Method: record, server: s,
		prefix: linePrefix(record.Name), metrics: s.obs.metricsOf(record),
	}
	m.handler = withFaults(m, handler)
	return m
}

func add(s *Server, m *Method) *Method {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.index = len(s.methods)
	s.methods = append(s.methods, m)
	byName := maps.Clone(*s.byName.Load())
	byName[m.FullMethod] = m
	s.byName.Store(&byName)
	s.obs.traffic.add(m.metrics)
	return m
}

// unaryHandler runs a generated unary handler over the call's stream of one message each way.
func unaryHandler(s *Server, desc *grpc.MethodDesc, impl any) func(*call) error {
	interceptor := chainUnary(s.cfg.Unary)
	return func(c *call) error {
		reply, err := desc.Handler(impl, c, c.RecvMsg, interceptor)
		if err != nil {
			return err
		}
		return c.SendMsg(reply)
	}
}

func streamHandler(s *Server, desc *grpc.StreamDesc, impl any, record *contract.Method) func(*call) error {
	handler := desc.Handler
	info := &grpc.StreamServerInfo{
		FullMethod: record.FullMethod, IsClientStream: record.ClientStreams, IsServerStream: record.ServerStreams,
	}
	for i := len(s.cfg.Stream) - 1; i >= 0; i-- {
		interceptor, next := s.cfg.Stream[i], handler
		handler = func(srv any, ss grpc.ServerStream) error { return interceptor(srv, ss, info, next) }
	}
	if record.ServerStreams {
		return func(c *call) error { return handler(impl, c) }
	}
	return func(c *call) error {
		err := handler(impl, c)
		if err == nil && !c.answered {
			return status.Error(codes.Internal, "the method has sent no answer") // which gRPC's clients find
		}
		return err
	}
}

func chainUnary(interceptors []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	switch len(interceptors) {
	case 0:
		return nil
	case 1:
		return interceptors[0]
	}
	rest := chainUnary(interceptors[1:])
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return interceptors[0](ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return rest(ctx, req, info, handler)
		})
	}
}
