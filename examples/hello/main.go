// Command hello is the quick start: a gRPC and REST service with everything on.
package main

import (
	"context"

	"github.com/betmakers/paddock/chassis"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
	"github.com/betmakers/paddock/health"
)

func main() { chassis.Main(context.Background(), Service()) }

// Service describes hello; main runs it, and so does its test.
func Service() chassis.Service {
	var cfg config
	return chassis.Service{Name: "hello", Config: &cfg, Setup: func(ctx context.Context, app *chassis.App) error {
		s := newServer(cfg, app.Logger())
		hellov1.RegisterHelloServiceServer(app, s)
		app.Go("tally", s.tally)
		app.Health(health.Check{Name: "greeting", Probe: s.ready})
		app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
		return nil
	}}
}
