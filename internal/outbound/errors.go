package outbound

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Errors returns dial options that convert the errors of calls, unary and streams, with decode.
// An error that decode does not accept, such as the io.EOF of a stream, is unchanged. Given as
// the last option, it is the innermost interceptor, so the others see decoded errors too. Decode
// is called concurrently.
func Errors[E error](decode func(error) (E, bool)) []grpc.DialOption {
	convert := func(err error) error {
		if err == nil {
			return nil
		}
		if decoded, ok := decode(err); ok {
			return decoded
		}
		return err
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return convert(invoke(ctx, method, req, reply, cc, opts...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, desc, cc, method, opts...)
			if err != nil {
				return nil, convert(err)
			}
			return &decodingStream{stream, convert}, nil
		}),
	}
}

// decodingStream is a stream whose errors are converted.
type decodingStream struct {
	grpc.ClientStream
	convert func(error) error
}

func (s *decodingStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	return md, s.convert(err)
}

func (s *decodingStream) CloseSend() error    { return s.convert(s.ClientStream.CloseSend()) }
func (s *decodingStream) SendMsg(m any) error { return s.convert(s.ClientStream.SendMsg(m)) }
func (s *decodingStream) RecvMsg(m any) error { return s.convert(s.ClientStream.RecvMsg(m)) }
