// Command corner-shop keeps items, and returns their prices, which another service knows.
package main

import (
	"context"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/health"

	cornershopv1 "github.com/betmakers/paddock/examples/template/gen/corner_shop/v1"
	pricesv1 "github.com/betmakers/paddock/examples/template/gen/prices/v1"
)

func main() { chassis.Main(context.Background(), Service()) }

// config has the settings of this service. Run it with -help to see them, with those of the
// chassis.
type config struct {
	Database    chassis.Secret[string] `env:"DATABASE_URL, default=file:corner-shop.db" help:"A PostgreSQL URL, or the file of an embedded SQLite database, such as file:items.db."`
	Connections int                    `env:"DATABASE_CONNECTIONS, default=10" min:"1" max:"1000" help:"Connections to the database that are used at once."`
}

// Service describes the service. main runs it, and so do the tests.
func Service() chassis.Service {
	var cfg config
	return chassis.Service{Name: "corner-shop", Config: &cfg, Setup: func(ctx context.Context, app *chassis.App) error {
		store, err := openStore(ctx, cfg.Database.Reveal(), cfg.Connections)
		if err != nil {
			return err
		}
		app.OnStop("database", func(context.Context) error { return store.db.Close() })
		app.Health(health.Check{Name: "database", Probe: store.db.PingContext})
		if store.acquire, err = app.Resource("database", cfg.Connections); err != nil {
			return err
		}
		if err := app.Metrics().Register(store.metrics()); err != nil {
			return err
		}
		prices, err := app.Dial(ctx, "prices")
		if err != nil {
			return err
		}
		domain := &items{kept: store, prices: pricesv1.NewPricesServiceClient(prices)}
		cornershopv1.RegisterCornerShopServiceServer(app, &server{items: domain})
		app.Gateway(ctx, cornershopv1.RegisterCornerShopServiceHandler)
		return nil
	}}
}
