package main

import (
	"context"
	"time"

	"google.golang.org/grpc"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
	"github.com/betmakers/paddock/middleware"
)

const readHeaderTimeout = 5 * time.Second

// hello is the service as it was before: it knows nothing of the pass but Draining.
type hello struct {
	hellov1.UnimplementedHelloServiceServer
}

func (hello) SayHello(_ context.Context, in *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	return &hellov1.SayHelloResponse{Message: "Hello, " + in.GetName() + "!"}, nil
}

// Count greets until the client has enough or the service stops.
func (hello) Count(in *hellov1.CountRequest, stream grpc.ServerStreamingServer[hellov1.CountResponse]) error {
	for number := range in.GetTimes() {
		if err := stream.Send(&hellov1.CountResponse{Number: number + 1, Message: "Hello, " + in.GetName() + "!"}); err != nil {
			return err
		}
		select {
		case <-middleware.Draining(stream.Context()):
			return nil
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-time.After(time.Duration(in.GetPauseMs()) * time.Millisecond):
		}
	}
	return nil
}
