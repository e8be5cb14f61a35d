// Package serve runs what is compared: a service of the chassis, and the plain servers beside it.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
)

// Ports are the addresses of a running service.
type Ports struct{ GRPC, HTTP string }

// Chassis runs service on loopback ports until the test ends, with env in the environment, and
// returns when it is ready. It returns the error of a start that fails.
func Chassis(tb testing.TB, service chassis.Service, env map[string]string) (Ports, error) {
	tb.Helper()
	ports := Ports{GRPC: freeAddr(tb), HTTP: freeAddr(tb)}
	for name, value := range map[string]string{
		"CHASSIS_ENVIRONMENT":  "development",
		"CHASSIS_MTLS":         "off",
		"CHASSIS_GRPC_ADDR":    ports.GRPC,
		"CHASSIS_HTTP_ADDR":    ports.HTTP,
		"CHASSIS_ADMIN_ADDR":   "127.0.0.1:0",
		"CHASSIS_LOG_LEVEL":    "ERROR",
		"CHASSIS_LOG_REQUESTS": "none",
	} {
		tb.Setenv(name, value)
	}
	for name, value := range env {
		tb.Setenv(name, value)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.Ready {
			close(ready)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	go func() { ended <- chassis.Run(ctx, service) }()
	select {
	case err := <-ended:
		stop()
		if err == nil {
			err = errors.New("the service ended")
		}
		return Ports{}, err
	case <-ready:
	}
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Errorf("the service ended with %v", err)
		}
	})
	return ports, nil
}

// GRPC serves server on a loopback port until the test ends, and returns its address.
func GRPC(tb testing.TB, server *grpc.Server) string {
	tb.Helper()
	lis := listen(tb)
	go func() { _ = server.Serve(lis) }() // until Stop
	tb.Cleanup(server.Stop)
	return lis.Addr().String()
}

// HTTP serves server on a loopback port until the test ends, by TLS if it has a TLSConfig, and
// returns its address.
func HTTP(tb testing.TB, server *http.Server) string {
	tb.Helper()
	lis := listen(tb)
	server.ReadHeaderTimeout = time.Minute
	go func() {
		if server.TLSConfig != nil {
			_ = server.ServeTLS(lis, "", "")
			return
		}
		_ = server.Serve(lis)
	}()
	tb.Cleanup(func() { _ = server.Close() })
	return lis.Addr().String()
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	lis, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return lis
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	lis := listen(tb)
	defer lis.Close()
	return lis.Addr().String()
}
