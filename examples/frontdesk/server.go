package main

import (
	"context"
	"log/slog"
	"time"

	frontdeskv1 "github.com/betmakers/paddock/examples/gen/frontdesk/v1"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

type server struct {
	frontdeskv1.UnimplementedFrontDeskServiceServer
	log   *slog.Logger
	hello hellov1.HelloServiceClient
}

// Welcome passes its context on, and with it the trace and what is left of its time. What hello
// refuses it refuses for the same reason.
func (s *server) Welcome(ctx context.Context, req *frontdeskv1.WelcomeRequest) (*frontdeskv1.WelcomeResponse, error) {
	deadline, _ := ctx.Deadline() // the contract has one
	s.log.DebugContext(ctx, "welcoming", "seconds_left", time.Until(deadline).Seconds())
	greeting, err := s.hello.SayHello(ctx, &hellov1.SayHelloRequest{Name: req.GetGuest()})
	if err != nil {
		return nil, err
	}
	return &frontdeskv1.WelcomeResponse{Message: greeting.GetMessage() + " Your room is ready."}, nil
}
