// Command testservice is hello's interface with behaviour by name, for what a well-behaved service cannot show.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

func main() { chassis.Main(context.Background(), service()) }

func service() chassis.Service {
	return chassis.Service{Name: "testservice", Setup: func(ctx context.Context, app *chassis.App) error {
		hellov1.RegisterHelloServiceServer(app, &server{log: app.Logger()})
		app.HandlePublic("GET /panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(secret) }))
		return app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
	}}
}

// secret is what no caller may see.
const secret = "kaboom-with-a-password"

type server struct {
	hellov1.UnimplementedHelloServiceServer
	log *slog.Logger
}

// SayHello does what the name says.
func (s *server) SayHello(ctx context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	s.log.InfoContext(ctx, "handling", "name", req.GetName())
	if err := behave(ctx, req.GetName()); err != nil {
		return nil, err
	}
	return &hellov1.SayHelloResponse{Message: "done: " + req.GetName()}, nil
}

// Count does what the name says after its first message.
func (s *server) Count(req *hellov1.CountRequest, stream grpc.ServerStreamingServer[hellov1.CountResponse]) error {
	if err := stream.Send(&hellov1.CountResponse{Number: 1, Message: req.GetName()}); err != nil {
		return err
	}
	return behave(stream.Context(), req.GetName())
}

func behave(ctx context.Context, name string) error {
	switch name {
	case "panic":
		panic(secret)
	case "error":
		return errors.New(secret)
	case "hang": // and ignore the context, as a handler stuck in a lock does
		select {}
	case "brief":
		return wait(ctx, 50*time.Millisecond)
	case "slow":
		return wait(ctx, 1500*time.Millisecond)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
