package chassistest_test

import (
	"context"
	"fmt"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// The service that main runs, in memory: a call of a caller with an identity, and what the service
// has logged and measured of it. A test passes its t in the place of nil.
func ExampleStart() {
	svc := chassistest.Start(nil, walletService(), chassistest.Options{})
	defer svc.Stop()

	client := testpb.NewTestServiceClient(svc.ConnAs("web"))
	answer, err := client.UnaryCall(context.Background(), &testpb.SimpleRequest{})
	fmt.Println(answer.GetUsername(), err)
	for _, line := range svc.Logs("call") {
		fmt.Println(line["method"], line["code"], line["peer"])
	}
	fmt.Println(svc.Metric("rpc_server_call_duration_seconds", "rpc_status_code", "OK"))
	// Output:
	// spiffe://test/web <nil>
	// grpc.testing.TestService/UnaryCall OK spiffe://test/web
	// 1
}

func walletService() chassis.Service {
	return chassis.Service{Name: "wallet", Setup: func(_ context.Context, app *chassis.App) error {
		testpb.RegisterTestServiceServer(app, wallet{})
		return nil
	}}
}

// wallet implements a service of grpc-go's tests, in the place of one of your own.
type wallet struct {
	testpb.UnimplementedTestServiceServer
}

func (wallet) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Username: chassis.CallerOf(ctx).ID}, nil
}
