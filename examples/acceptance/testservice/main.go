// Command testservice is hello's interface with behaviour by name, for what a well-behaved service
// cannot show.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/chassis"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

func main() { chassis.Main(context.Background(), service()) }

func service() chassis.Service {
	return chassis.Service{Name: "testservice", Setup: func(ctx context.Context, app *chassis.App) error {
		acquire, err := app.Resource("store", 2)
		if err != nil {
			return err
		}
		hellov1.RegisterHelloServiceServer(app, &server{log: app.Logger(), acquire: acquire})
		if err := registerTwins(app); err != nil {
			return err
		}
		app.Handle("POST /handle", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		app.HandlePublic("GET /panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(secret) }))
		app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
		return nil
	}}
}

// secret is what no caller may see.
const secret = "kaboom-with-a-password"

type server struct {
	hellov1.UnimplementedHelloServiceServer
	log     *slog.Logger
	acquire func(context.Context) (release func(), err error) // a resource that two calls can have at once
}

// SayHello does what the name says.
func (s *server) SayHello(ctx context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	s.log.InfoContext(ctx, "handling", "name", req.GetName())
	switch name := req.GetName(); name {
	case "metadata": // of the caller
		md, _ := metadata.FromIncomingContext(ctx)
		return &hellov1.SayHelloResponse{Message: fmt.Sprint(md)}, nil
	case "acquire", "acquire-brief":
		release, err := s.acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		if err := behave(ctx, map[string]string{"acquire": "slow", "acquire-brief": "brief"}[name]); err != nil {
			return nil, err
		}
	default:
		if err := behave(ctx, name); err != nil {
			return nil, err
		}
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
