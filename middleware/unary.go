package middleware

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// The pass serves every method as a stream. A grpc.Server runs the unary interceptors of its options
// for unary methods alone, and one that decides who may call must not be lost. So unary methods stay
// unary for the server, and the pass runs within them.

// withInterceptors returns desc with unary methods that run, inside of the pass, the interceptors
// which the server has for the call.
func withInterceptors(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	own := *desc
	own.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for n, m := range desc.Methods {
		own.Methods[n] = grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(impl any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				interceptor, _ := ctx.Value(interceptorKey{}).(grpc.UnaryServerInterceptor)
				return m.Handler(impl, ctx, decode, interceptor)
			},
		}
	}
	return &own
}

// withUnary returns wrapped, in which the methods of desc are streams, with those that are unary in
// desc as unary methods again.
func withUnary(desc, wrapped *grpc.ServiceDesc) *grpc.ServiceDesc {
	handlers := map[string]grpc.StreamHandler{}
	own := *wrapped
	own.Streams = nil
	for _, s := range wrapped.Streams {
		handlers[s.StreamName] = s.Handler
		if s.ServerStreams || s.ClientStreams {
			own.Streams = append(own.Streams, s)
		}
	}
	for _, m := range desc.Methods {
		pass := handlers[m.MethodName]
		own.Methods = append(own.Methods, grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(impl any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				if interceptor != nil {
					ctx = context.WithValue(ctx, interceptorKey{}, interceptor)
				}
				s := &unaryStream{ctx: ctx, decode: decode}
				err := pass(impl, s)
				return s.reply, err
			},
		})
	}
	return &own
}

// interceptorKey is the key of a call's context by which it has its interceptor.
type interceptorKey struct{}

// unaryStream is a unary call as a stream of one message each way.
type unaryStream struct {
	ctx    context.Context //nolint:containedctx // it is that of the stream
	decode func(any) error // nil when the message was read
	reply  any
}

var _ grpc.ServerStream = (*unaryStream)(nil)

func (s *unaryStream) Context() context.Context        { return s.ctx }
func (s *unaryStream) SetHeader(md metadata.MD) error  { return grpc.SetHeader(s.ctx, md) }
func (s *unaryStream) SendHeader(md metadata.MD) error { return grpc.SendHeader(s.ctx, md) }

// SetTrailer ignores the error, as there is none while the call runs.
func (s *unaryStream) SetTrailer(md metadata.MD) { _ = grpc.SetTrailer(s.ctx, md) }

func (s *unaryStream) RecvMsg(m any) error {
	if s.decode == nil {
		return io.EOF
	}
	decode := s.decode
	s.decode = nil
	return decode(m)
}

func (s *unaryStream) SendMsg(m any) error {
	s.reply = m
	return nil
}
