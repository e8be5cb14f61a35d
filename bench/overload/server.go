package main

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
	"github.com/betmakers/paddock/chassis"
)

// envShape makes the process the service whose work has this shape.
const envShape = "PADDOCK_OVERLOAD_SHAPE"

// serve is the service's process.
func serve(ctx context.Context, shape string) error {
	if shape == honestShape {
		return chassis.Run(ctx, honestService())
	}
	return chassis.Run(ctx, chassis.Service{
		Name: "work",
		Setup: func(ctx context.Context, app *chassis.App) error {
			w := &workServer{between: burn(betweenBurn)}
			var err error
			if w.do, err = workOf(app, shape, &w.begun); err != nil {
				return err
			}
			app.Metrics().MustRegister(prometheus.NewCounterFunc(
				prometheus.CounterOpts{Name: metricBegun, Help: "Works that were begun."}, func() float64 { return float64(w.begun.Load()) }))
			overloadv1.RegisterWorkServiceServer(app, w)
			app.Gateway(ctx, overloadv1.RegisterWorkServiceHandler)
			return nil
		},
	})
}

// workServer does the same in each of its methods.
type workServer struct {
	overloadv1.UnimplementedWorkServiceServer
	do      work
	between func() // the messages of a stream
	begun   atomic.Int64
}

func (w *workServer) Critical(ctx context.Context, _ *overloadv1.CriticalRequest) (*overloadv1.CriticalResponse, error) {
	return &overloadv1.CriticalResponse{}, w.do(ctx)
}

func (w *workServer) Normal(ctx context.Context, _ *overloadv1.NormalRequest) (*overloadv1.NormalResponse, error) {
	return &overloadv1.NormalResponse{}, w.do(ctx)
}

func (w *workServer) Sheddable(ctx context.Context, _ *overloadv1.SheddableRequest) (*overloadv1.SheddableResponse, error) {
	return &overloadv1.SheddableResponse{}, w.do(ctx)
}

func (w *workServer) Apart(ctx context.Context, _ *overloadv1.ApartRequest) (*overloadv1.ApartResponse, error) {
	return &overloadv1.ApartResponse{}, w.do(ctx)
}

// Watch computes once more before each message.
func (w *workServer) Watch(_ *overloadv1.WatchRequest, stream overloadv1.WorkService_WatchServer) error {
	if err := w.do(stream.Context()); err != nil {
		return err
	}
	for range streamMessages {
		if err := stream.Send(&overloadv1.WatchResponse{}); err != nil {
			return err
		}
		w.between()
	}
	return nil
}
