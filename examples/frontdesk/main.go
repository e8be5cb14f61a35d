// Command frontdesk is a service that calls another: it has hello greet its guests.
package main

import (
	"context"

	"github.com/betmakers/paddock/chassis"
	frontdeskv1 "github.com/betmakers/paddock/examples/gen/frontdesk/v1"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

func main() { chassis.Main(context.Background(), Service()) }

// Service describes frontdesk; main runs it, and so does its test.
func Service() chassis.Service {
	return chassis.Service{Name: "frontdesk", Setup: func(ctx context.Context, app *chassis.App) error {
		hello, err := app.Dial(ctx, "hello")
		if err != nil {
			return err
		}
		frontdeskv1.RegisterFrontDeskServiceServer(app, &server{log: app.Logger(), hello: hellov1.NewHelloServiceClient(hello)})
		app.Gateway(ctx, frontdeskv1.RegisterFrontDeskServiceHandler)
		return nil
	}}
}
