package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
)

// startREST is net/http and encoding/json and nothing else.
func startREST(_ context.Context, s setup) (string, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/echo", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Message string `json:"message"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	})
	return serveHTTP(s, mux)
}

// startGatewayTCP is grpc-gateway in front of a bare gRPC server on another port of the same
// process.
func startGatewayTCP(ctx context.Context, s setup) (string, error) {
	addr, err := serveGRPC(setup{}, &echov1.EchoService_ServiceDesc, &echo{})
	if err != nil {
		return "", err
	}
	return serveGateway(ctx, s, addr)
}

// startGatewayBufconn is the same without the socket.
func startGatewayBufconn(ctx context.Context, s setup) (string, error) {
	lis := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	echov1.RegisterEchoServiceServer(server, &echo{})
	go reportEnd(func() error { return server.Serve(lis) })
	return serveGateway(ctx, s, "passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
}

func serveGateway(ctx context.Context, s setup, target string, options ...grpc.DialOption) (string, error) {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return "", err
	}
	mux := runtime.NewServeMux()
	if err := echov1.RegisterEchoServiceHandler(ctx, mux, conn); err != nil {
		return "", err
	}
	return serveHTTP(s, mux)
}

// serveHTTP serves handler over HTTP/1.1 on a loopback port of the system's choice.
func serveHTTP(s setup, handler http.Handler) (string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, TLSConfig: s.tls}
	go reportEnd(func() error {
		if s.tls != nil {
			return server.ServeTLS(lis, "", "")
		}
		return server.Serve(lis)
	})
	return lis.Addr().String(), nil
}
