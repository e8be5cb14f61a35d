package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

type config struct {
	Greeting string        `env:"GREETING, default=Hello" help:"The word before the name."`
	Tally    time.Duration `env:"TALLY_INTERVAL, default=1m" help:"How often the number of greetings is summed up."`
}

type server struct {
	hellov1.UnimplementedHelloServiceServer
	cfg     config
	log     *slog.Logger
	greeted atomic.Int64
	total   atomic.Int64
}

func newServer(cfg config, log *slog.Logger) *server { return &server{cfg: cfg, log: log} }

func (s *server) SayHello(ctx context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	deadline, _ := ctx.Deadline() // the contract has one
	s.log.DebugContext(ctx, "greeting", "seconds_left", time.Until(deadline).Seconds())
	if length := len(req.GetName()); length > 100 {
		err := chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
		err.Fields = []chassis.FieldViolation{{Field: "name", Description: fmt.Sprintf("has %d bytes, and may have 100", length)}}
		return nil, err
	}
	return &hellov1.SayHelloResponse{Message: s.greet(req.GetName())}, nil
}

func (s *server) Count(req *hellov1.CountRequest, stream grpc.ServerStreamingServer[hellov1.CountResponse]) error {
	times, pause := req.GetTimes(), time.Duration(req.GetPauseMs())*time.Millisecond
	if times == 0 {
		times = 3
	}
	if pause == 0 {
		pause = 100 * time.Millisecond
	}
	if times < 0 || times > 1000 || pause < 0 {
		return status.Error(codes.InvalidArgument, "times must be between 1 and 1000, and pause_ms not negative")
	}
	for number := range times {
		if err := stream.Send(&hellov1.CountResponse{Number: number + 1, Message: s.greet(req.GetName())}); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-chassis.Draining(stream.Context()): // the service stops: the client can go on elsewhere
			return status.Error(codes.Unavailable, "this replica stops")
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
	return nil
}

func (s *server) greet(name string) string {
	if name == "" {
		name = "World"
	}
	s.greeted.Add(1)
	return fmt.Sprintf("%s, %s!", s.cfg.Greeting, name)
}

// tally is the worker: it sums up what was greeted since it last did.
func (s *server) tally(ctx context.Context) error {
	for ticks := time.Tick(s.cfg.Tally); ; {
		select {
		case <-ticks:
			s.total.Add(s.greeted.Swap(0))
		case <-ctx.Done():
			return nil
		}
	}
}

// ready is the health check.
func (s *server) ready(context.Context) error {
	if s.cfg.Greeting == "" {
		return errors.New("there is no greeting: set GREETING")
	}
	return nil
}
