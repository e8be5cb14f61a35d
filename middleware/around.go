package middleware

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// The pass serves every method as a stream. A grpc.Server runs the unary interceptors of its
// options for unary methods alone, and stream interceptors around the handler of a stream, but the
// pass has to enclose both. So unary methods stay unary for the server and run the pass themselves,
// and an interceptor of the pass, before those of the service, runs it for streams.

// inner is what a call runs inside the pass.
type inner struct {
	impl  any                         // the service's implementation, of the server that has the call
	unary grpc.UnaryServerInterceptor // the server's interceptors of a unary call; nil for none
	rest  grpc.StreamHandler          // those of a stream, and its handler; nil for the handler alone
}

type innerKey struct{}

func innerOf(ctx context.Context) *inner {
	in, _ := ctx.Value(innerKey{}).(*inner)
	return in
}

// within returns desc with methods that run, inside of the pass, what the server has for the call.
func within(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	own := *desc
	own.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for n, m := range desc.Methods {
		own.Methods[n] = grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := innerOf(ctx)
				return m.Handler(in.impl, ctx, decode, in.unary)
			},
		}
	}
	own.Streams = make([]grpc.StreamDesc, len(desc.Streams))
	for n, s := range desc.Streams {
		own.Streams[n] = s
		own.Streams[n].Handler = func(_ any, stream grpc.ServerStream) error {
			in := innerOf(stream.Context())
			if in.rest != nil {
				return in.rest(in.impl, stream)
			}
			return s.Handler(in.impl, stream)
		}
	}
	return &own
}

// around returns desc as the server gets it, with methods that run through the pass. Wrapped has
// them as streams. It adds the pass of each stream to streams.
func around(desc, wrapped *grpc.ServiceDesc, streams *sync.Map) *grpc.ServiceDesc {
	passes := map[string]grpc.StreamHandler{}
	for _, s := range wrapped.Streams {
		passes[s.StreamName] = s.Handler
	}
	own := *wrapped
	own.Streams = nil
	for _, s := range desc.Streams {
		handler, pass := s.Handler, passes[s.StreamName]
		streams.Store("/"+desc.ServiceName+"/"+s.StreamName, pass)
		s.Handler = func(impl any, stream grpc.ServerStream) error {
			if innerOf(stream.Context()) != nil {
				return handler(impl, stream)
			}
			return serve(pass, stream, &inner{impl: impl}) // the server was made without Options
		}
		own.Streams = append(own.Streams, s)
	}
	for _, m := range desc.Methods {
		pass := passes[m.MethodName]
		own.Methods = append(own.Methods, grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(impl any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				s := &unaryStream{ctx: context.WithValue(ctx, innerKey{}, &inner{impl: impl, unary: interceptor}), decode: decode}
				err := pass(nil, s)
				return s.reply, err
			},
		})
	}
	return &own
}

// stream is the interceptor that runs the pass around the service's own, for registered methods.
func (s *Server) stream(impl any, stream grpc.ServerStream, info *grpc.StreamServerInfo, rest grpc.StreamHandler) error {
	pass, ok := s.streams.Load(info.FullMethod)
	if !ok {
		return rest(impl, stream)
	}
	return serve(pass.(grpc.StreamHandler), stream, &inner{impl: impl, rest: rest})
}

func serve(pass grpc.StreamHandler, stream grpc.ServerStream, in *inner) error {
	return pass(nil, &passedStream{stream, context.WithValue(stream.Context(), innerKey{}, in)})
}

// passedStream is a stream with what runs inside of the pass in its context.
type passedStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // it is that of the stream
}

func (s *passedStream) Context() context.Context { return s.ctx }

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
