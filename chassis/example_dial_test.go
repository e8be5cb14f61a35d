package chassis_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// The tote calls the wallet. Each proves to the other who it is, and the context of the request
// that the call is made for takes its deadline and its trace along.
func ExampleApp_Dial() {
	wallet := chassistest.Start(nil, walletService(), chassistest.Options{})
	defer wallet.Stop()

	tote := chassistest.Start(nil, chassis.Service{
		Name: "tote",
		Setup: func(ctx context.Context, app *chassis.App) error {
			conn, err := app.Dial(ctx, "wallet")
			if err != nil {
				return err
			}
			wallets := testpb.NewTestServiceClient(conn)
			app.HandlePublic("GET /balance", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, err := wallets.UnaryCall(r.Context(), &testpb.SimpleRequest{})
				if err != nil {
					http.Error(w, "the wallet does not answer", http.StatusBadGateway)
					return
				}
				fmt.Fprintln(w, "the wallet answers", answer.GetUsername())
			}))
			return nil
		},
	}, chassistest.Options{Peers: map[string]*chassistest.Running{"wallet": wallet}})
	defer tote.Stop()

	answer, err := tote.HTTP().Get("http://rest/balance")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
	// Output: the wallet answers spiffe://test/tote
}

// A method tells its callers apart by what they have proved. What they say of themselves in
// metadata proves nothing.
func ExampleCallerOf() {
	svc := chassistest.Start(nil, walletService(), chassistest.Options{})
	defer svc.Stop()

	for _, caller := range []string{"web", "tote"} {
		client := testpb.NewTestServiceClient(svc.ConnAs(caller))
		answer, err := client.UnaryCall(context.Background(), &testpb.SimpleRequest{})
		fmt.Println(answer.GetUsername(), err)
	}
	// Output:
	// spiffe://test/web <nil>
	// spiffe://test/tote <nil>
}

func walletService() chassis.Service {
	return chassis.Service{Name: "wallet", Setup: func(_ context.Context, app *chassis.App) error {
		testpb.RegisterTestServiceServer(app, walletServer{})
		return nil
	}}
}

// walletServer implements a service of grpc-go's tests, in the place of one of your own.
type walletServer struct {
	testpb.UnimplementedTestServiceServer
}

func (walletServer) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Username: chassis.CallerOf(ctx).ID}, nil
}
