package main

import (
	"context"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
)

// echo is the handler of every contender.
type echo struct {
	echov1.UnimplementedEchoServiceServer
	// block is how long a call waits, as if for a database; 0 answers at once.
	block time.Duration
	// looks has a call make a context of its own and ask it for Done, as every database driver and
	// every client does.
	looks bool
}

func (e *echo) Echo(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	if e.looks {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		default:
		}
	}
	if e.block > 0 {
		time.Sleep(e.block)
	}
	return &echov1.EchoResponse{Message: req.GetMessage()}, nil
}

// Store answers as Echo does. Its request has fields that are marked as secrets.
func (e *echo) Store(_ context.Context, req *echov1.StoreRequest) (*echov1.StoreResponse, error) {
	return &echov1.StoreResponse{Message: req.GetMessage()}, nil
}

// bareServer is grpc-go with no features.
type bareServer struct {
	echo    echo
	desc    *grpc.ServiceDesc
	options []grpc.ServerOption
}

func blocking(d time.Duration) func(*bareServer) {
	return func(b *bareServer) { b.echo.block = d }
}

func handling(e echo) func(*bareServer) {
	return func(b *bareServer) { b.echo.block, b.echo.looks = e.block, e.looks }
}

func streamWorkers(n uint32) func(*bareServer) {
	return func(b *bareServer) {
		if n > 0 {
			b.options = append(b.options, grpc.NumStreamWorkers(n))
		}
	}
}

// asStream registers Echo as a stream in neither direction, which is the same unary call on the
// wire.
func asStream(b *bareServer) {
	b.desc = streamDesc(b.desc)
}

// streamDesc turns every unary method into a stream in neither direction. Unlike grpc-go, which
// does the same for a MethodDesc, it leaves the handler in charge of sending the answer.
func streamDesc(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	streams := *desc
	streams.Methods, streams.Streams = nil, slices.Clone(desc.Streams)
	for _, method := range desc.Methods {
		streams.Streams = append(streams.Streams, grpc.StreamDesc{
			StreamName: method.MethodName,
			Handler: func(srv any, stream grpc.ServerStream) error {
				resp, err := method.Handler(srv, stream.Context(), stream.RecvMsg, nil)
				if err != nil {
					return err
				}
				return stream.SendMsg(resp)
			},
		})
	}
	return &streams
}

// startBare returns the start function of a bare server changed by changes.
func startBare(changes ...func(*bareServer)) func(context.Context, setup) (string, error) {
	return func(_ context.Context, s setup) (string, error) {
		b := &bareServer{desc: &echov1.EchoService_ServiceDesc}
		for _, change := range changes {
			change(b)
		}
		return serveGRPC(s, b.desc, &b.echo, b.options...)
	}
}

// serveGRPC serves one service on a loopback port of the system's choice.
func serveGRPC(s setup, desc *grpc.ServiceDesc, impl any, options ...grpc.ServerOption) (string, error) {
	if s.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.tls)))
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := grpc.NewServer(options...)
	server.RegisterService(desc, impl)
	go reportEnd(func() error { return server.Serve(lis) })
	return lis.Addr().String(), nil
}
