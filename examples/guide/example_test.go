package guide_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// A method is served by REST as its google.api.http option says, through the same steps as by gRPC.
func Example_gateway() {
	svc := chassistest.Start(nil, greetService(), chassistest.Options{})
	defer svc.Stop()

	answer, err := svc.HTTP().Get("http://rest/v1/hello/Ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	io.Copy(os.Stdout, answer.Body)
	// Output:
	// 200 OK
	// {"message":"Hello, Ada!"}
}

// A reason that the proto declares comes back to a client in Go as the same error, and to one of
// REST as problem details.
func Example_reason() {
	svc := chassistest.Start(nil, greetService(), chassistest.Options{})
	defer svc.Stop()

	client := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
	_, err := client.SayHello(context.Background(), &hellov1.SayHelloRequest{Name: "Ada Lovelace"})
	fmt.Println(err)
	fmt.Println(errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)))

	answer, err := svc.HTTP().Get("http://rest/v1/hello/Ada%20Lovelace")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer.Body.Close()
	fmt.Println(answer.Status, answer.Header.Get("Content-Type"))
	// Output:
	// InvalidArgument (hello.v1 NAME_TOO_LONG): the name is too long
	// true
	// 400 Bad Request application/problem+json
}

func greetService() chassis.Service {
	return chassis.Service{Name: "greet", Setup: func(ctx context.Context, app *chassis.App) error {
		hellov1.RegisterHelloServiceServer(app, greeter{})
		app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
		return nil
	}}
}

type greeter struct {
	hellov1.UnimplementedHelloServiceServer
}

func (greeter) SayHello(_ context.Context, in *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	if len(in.GetName()) > 10 {
		return nil, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
	}
	return &hellov1.SayHelloResponse{Message: "Hello, " + in.GetName() + "!"}, nil
}
