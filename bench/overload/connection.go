package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/bench/internal/certs"
	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
)

// connection is one caller's way to the service: one connection by gRPC, and by REST one of HTTP/2
// or as many of HTTP/1.1 as it takes.
type connection struct {
	grpc   *grpc.ClientConn
	work   overloadv1.WorkServiceClient
	honest overloadv1.HonestServiceClient
	http   *http.Client
	url    string
}

// openConnection returns when the connection by gRPC is there.
func openConnection(ctx context.Context, service *process, dir certs.Dir, protocol, caller string) (*connection, error) {
	conn, err := dialOne(service.grpc, dir, caller)
	if err != nil {
		return nil, err
	}
	web, err := dir.ClientTLS(caller, protocol)
	if err != nil {
		return nil, err
	}
	c := &connection{
		grpc: conn, work: overloadv1.NewWorkServiceClient(conn), honest: overloadv1.NewHonestServiceClient(conn),
		http: &http.Client{Transport: &http.Transport{
			TLSClientConfig: web, MaxIdleConnsPerHost: mostOutstanding, ForceAttemptHTTP2: protocol == "h2",
		}},
		url: "https://" + service.http,
	}
	return c, connect(ctx, conn)
}

func (c *connection) close() error {
	c.http.CloseIdleConnections()
	return c.grpc.Close()
}

func dialOne(addr string, dir certs.Dir, caller string) (*grpc.ClientConn, error) {
	config, err := dir.ClientTLS(caller, "h2")
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func connect(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for conn.Connect(); ; {
		state := conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if !conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("no connection to %s: %s: %w", conn.Target(), state, ctx.Err())
		}
	}
}
