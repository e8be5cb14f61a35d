package mtls_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis/mtls"
)

// Two services of one developer, who has set nothing up.
func Example() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "ca")
	defer os.RemoveAll(dir)

	wallet, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: "wallet", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wallet.Close()
	creds, err := mtls.ServerCredentials(wallet, mtls.ObserverOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(grpc.Creds(creds), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			caller, _ := mtls.PeerID(ctx)
			fmt.Println("called by", caller)
			return next(ctx, req)
		}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(listener)
	defer server.Stop()

	hello, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: "hello", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hello.Close()
	expected := spiffeid.RequireFromString("spiffe://" + mtls.DevelopmentTrustDomain + "/wallet")
	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(credentials.NewTLS(mtls.ClientTLS(hello, spiffeid.MatchID(expected)))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	fmt.Println(answer.GetStatus(), err)
	// Output:
	// called by spiffe://development.paddock.internal/hello
	// SERVING <nil>
}

// Files that cannot be used stop a service at its start, with an error that names the one at fault.
func ExampleFiles() {
	_, err := mtls.Files(context.Background(), mtls.FilesConfig{
		CertFile: "/nowhere/tls.crt", KeyFile: "/nowhere/tls.key", CAFile: "/nowhere/ca.crt",
	})
	fmt.Println(err)
	// Output: mtls: cannot read: open /nowhere/tls.crt: no such file or directory
}

// An HTTPS server whose handlers know their caller.
func ExampleListener() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "ca")
	defer os.RemoveAll(dir)
	src, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: "wallet", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := mtls.Listener(inner, src, mtls.ListenerOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{
		ConnContext: mtls.ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, proved := mtls.PeerID(r.Context())
			fmt.Println(id, proved)
		}),
	}
	go server.Serve(listener)
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: mtls.ClientTLS(src, func(spiffeid.ID) error { return nil })}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + inner.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	answer.Body.Close()
	// Output: spiffe://development.paddock.internal/wallet true
}
