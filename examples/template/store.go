package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	_ "modernc.org/sqlite" // the driver "sqlite", which needs no cgo
)

// The SQL of migrations and queries is for both databases: keep it to what both know.
//
//go:embed migrations/*.sql
var migrations embed.FS

// store keeps items in a database. Its methods may be called concurrently.
type store struct {
	db *sql.DB
	// acquire waits for a place among those that use the database. The chassis measures the
	// queue, and refuses calls when it only grows.
	acquire func(ctx context.Context) (release func(), err error)
}

// openStore opens the database of a URL and brings its tables up to date.
func openStore(ctx context.Context, url string, connections int) (*store, error) {
	driver, source := "sqlite", url
	postgres := strings.HasPrefix(url, "postgres:") || strings.HasPrefix(url, "postgresql:")
	if postgres {
		driver = "pgx"
	} else {
		source += separator(url) + "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, errors.New("DATABASE_URL cannot be parsed") // the error could have the password
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := migrate(ctx, db, postgres); err != nil {
		return nil, errors.Join(fmt.Errorf("migrating the database: %w", err), db.Close())
	}
	nobodyWaits := func(context.Context) (func(), error) { return func() {}, nil }
	return &store{db: db, acquire: nobodyWaits}, nil
}

func separator(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

// migrate applies the files of migrations/ that the database does not have yet. A lock keeps
// replicas that start at the same time from doing so twice.
func migrate(ctx context.Context, db *sql.DB, postgres bool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{}
	if postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// metrics are those of the connections: go_sql_open_connections and others.
func (s *store) metrics() prometheus.Collector {
	return collectors.NewDBStatsCollector(s.db, "items")
}

func (s *store) put(ctx context.Context, it item) (item, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return item{}, err
	}
	defer release()
	_, err = s.db.ExecContext(ctx, `INSERT INTO items (item_id, name) VALUES ($1, $2) ON CONFLICT (item_id) DO NOTHING`, it.id, it.name)
	if err != nil {
		return item{}, fmt.Errorf("inserting an item: %w", err)
	}
	kept, _, err := s.row(ctx, it.id)
	return kept, err
}

func (s *store) get(ctx context.Context, id string) (item, bool, error) {
	release, err := s.acquire(ctx)
	if err != nil {
		return item{}, false, err
	}
	defer release()
	return s.row(ctx, id)
}

func (s *store) row(ctx context.Context, id string) (item, bool, error) {
	var it item
	err := s.db.QueryRowContext(ctx, `SELECT item_id, name FROM items WHERE item_id = $1`, id).Scan(&it.id, &it.name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return item{}, false, nil
	case err != nil:
		return item{}, false, fmt.Errorf("reading an item: %w", err)
	}
	return it, true, nil
}
