package guide

import (
	"context"
	"database/sql"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/health"
)

type databaseConfig struct {
	URL   chassis.Secret[string] `env:"DATABASE_URL, required" help:"The database, with its user and password."`
	Conns int                    `env:"DATABASE_CONNS, default=10" min:"1" help:"Connections to the database."`
}

// openStore opens the database for a service.
func openStore(app *chassis.App, driver string, cfg databaseConfig) (*store, error) {
	db, err := sql.Open(driver, cfg.URL.Reveal())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(cfg.Conns)
	acquire, err := app.Resource("database", cfg.Conns)
	if err != nil {
		return nil, err
	}
	app.Health(health.Check{Name: "database", Probe: db.PingContext})
	app.OnStop("database", func(context.Context) error { return db.Close() })
	return &store{db: db, acquire: acquire}, nil
}

type store struct {
	db      *sql.DB
	acquire func(context.Context) (release func(), err error)
}

func (s *store) owner(ctx context.Context, bet string) (name string, err error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	err = s.db.QueryRowContext(ctx, "SELECT owner FROM bets WHERE id = $1", bet).Scan(&name)
	return name, err
}
