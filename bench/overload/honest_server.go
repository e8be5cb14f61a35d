package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
	"github.com/betmakers/paddock/chassis"
)

const (
	// honestShape is the shape of the service that does what its calls ask for.
	honestShape = "honest"
	// envWorkers is how many goroutines of it compute all the time.
	envWorkers = "PADDOCK_OVERLOAD_WORKERS"
)

func honestService() chassis.Service {
	turns := float64(calibrate())
	began := new(beginnings)
	return chassis.Service{
		Name:              "work",
		UnaryInterceptors: []grpc.UnaryServerInterceptor{began.intercept},
		Validate:          refuseInvalid,
		Setup: func(ctx context.Context, app *chassis.App) error {
			workers, _ := strconv.Atoi(os.Getenv(envWorkers)) // none where it is not set
			for i := range workers {
				app.Go("worker-"+strconv.Itoa(i), func(ctx context.Context) error {
					for ctx.Err() == nil {
						runtime.KeepAlive(compute(int(turns / 100)))
					}
					return nil
				})
			}
			app.Metrics().MustRegister(began.metrics()...)
			overloadv1.RegisterHonestServiceServer(app, &honestServer{turns: turns})
			app.Gateway(ctx, overloadv1.RegisterHonestServiceHandler)
			return nil
		},
	}
}

func refuseInvalid(message proto.Message) error {
	if do, ok := message.(*overloadv1.DoRequest); ok && do.GetInvalid() {
		return status.Error(codes.InvalidArgument, "the call says so itself")
	}
	return nil
}

type honestServer struct {
	overloadv1.UnimplementedHonestServiceServer
	turns float64 // of computing that take a second
}

func (s *honestServer) Do(ctx context.Context, req *overloadv1.DoRequest) (*overloadv1.DoResponse, error) {
	if err := wait(ctx, req.GetWait().AsDuration()); err != nil {
		return nil, err
	}
	runtime.KeepAlive(compute(int(s.turns * req.GetCompute().AsDuration().Seconds())))
	return &overloadv1.DoResponse{}, nil
}

func (s *honestServer) Also(ctx context.Context, req *overloadv1.AlsoRequest) (*overloadv1.AlsoResponse, error) {
	return &overloadv1.AlsoResponse{}, wait(ctx, req.GetWait().AsDuration())
}

func (s *honestServer) Deny(context.Context, *overloadv1.DenyRequest) (*overloadv1.DenyResponse, error) {
	return nil, errors.New("no caller may make this call")
}
