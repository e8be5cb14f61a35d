// Command adopt is a service that keeps its own main, its own grpc.Server and its own http.Server,
// and has taken up package middleware. What it took is marked: the rest is plain grpc-go and
// net/http.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
	"github.com/betmakers/paddock/middleware"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	err := run(ctx, log, "localhost:9000", "localhost:8080")
	stop()
	if err != nil {
		log.Error("the service has failed", "error", err.Error())
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, log *slog.Logger, grpcAddr, httpAddr string) error {
	var listen net.ListenConfig
	calls, err := listen.Listen(ctx, "tcp", grpcAddr)
	if err != nil {
		return err
	}
	requests, err := listen.Listen(ctx, "tcp", httpAddr)
	if err != nil {
		return errors.Join(err, calls.Close())
	}
	return serve(ctx, log, calls, requests)
}

func serve(ctx context.Context, log *slog.Logger, calls, requests net.Listener) error {
	registry := prometheus.NewRegistry()

	// Taken up: the pass, with its options and in front of the registration.
	pass, err := middleware.NewServer(middleware.Config{Logger: log, Registerer: registry, Admission: true})
	if err != nil {
		return err
	}
	server := grpc.NewServer(pass.Options()...)
	hellov1.RegisterHelloServiceServer(pass.Registrar(server), hello{})
	if err := pass.Err(); err != nil {
		return err
	}

	routes := http.NewServeMux()
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	// Taken up: the same pass around plain HTTP.
	web := &http.Server{Handler: pass.HTTP(routes), ReadHeaderTimeout: readHeaderTimeout}

	failed := make(chan error, 2)
	go func() { failed <- server.Serve(calls) }()
	go func() { failed <- web.Serve(requests) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}

	// Taken up: streams learn of the stop.
	pass.Drain()
	server.GracefulStop()
	return errors.Join(err, web.Shutdown(context.WithoutCancel(ctx)))
}
