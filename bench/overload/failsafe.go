package main

import (
	"context"
	"os"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failsafe stands for the adaptive limiter of failsafe-go instead of the chassis's: what a service would take otherwise.
const failsafe = "failsafe"

// envFailsafe has the service use it.
const envFailsafe = "PADDOCK_OVERLOAD_FAILSAFE"

// failsafeLimiter is that limiter with its defaults and the queue that its documentation has for bursts, as an
// interceptor of the service. It knows no criticality.
func failsafeLimiter() []grpc.UnaryServerInterceptor {
	if os.Getenv(envFailsafe) == "" {
		return nil
	}
	limiter := adaptivelimiter.NewBuilder[any]().WithQueueing(2, 3).BuildPrioritized(adaptivelimiter.NewPrioritizer())
	return []grpc.UnaryServerInterceptor{func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		permit, err := limiter.AcquirePermit(ctx)
		if err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		answer, err := handler(ctx, req)
		if err != nil {
			permit.Drop()
		} else {
			permit.Record()
		}
		return answer, err
	}}
}
