package xds_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // what a program imports that wants xds:/// targets

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/mtls"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// bootstrap names the file that tells gRPC where the control plane is. gRPC reads the variable when
// the process begins, and the file when it is first needed.
const bootstrap = "GRPC_XDS_BOOTSTRAP"

// TestMain runs the tests in a process that has begun with the variable.
func TestMain(m *testing.M) {
	if os.Getenv(bootstrap) != "" {
		os.Exit(m.Run())
	}
	os.Exit(again())
}

func again() int {
	dir, err := os.MkdirTemp("", "xds")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	test := exec.Command(os.Args[0], os.Args[1:]...)
	test.Env = append(os.Environ(), bootstrap+"="+filepath.Join(dir, "bootstrap.json"))
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	if err := test.Run(); err != nil {
		return 1
	}
	return 0
}

// Dial takes its endpoints from the control plane and follows them, and goes on checking whom it
// talks to.
func TestDial(t *testing.T) {
	ca := chassistest.NewCA(t)
	plane := startPlane(t)
	writeBootstrap(t, plane.address)
	a, b, c := startReplica(t, ca, "hello"), startReplica(t, ca, "hello"), startReplica(t, ca, "hello")
	thief := startReplica(t, ca, "thief")
	plane.list(t, "hello", a.address, b.address)

	client, till := dialHello(t, ca)
	await(t, "calls at the replicas that are listed", func() bool {
		mustCall(t, client)
		return a.calls.Load() > 0 && b.calls.Load() > 0
	})
	if till.Metric("chassis_rpc_client_attempts_total", "server_address", "hello") == 0 {
		t.Error("no attempts were counted: the policy that the control plane names is not in use")
	}

	plane.list(t, "hello", b.address, c.address)
	await(t, "calls at the new replica", func() bool {
		mustCall(t, client)
		return c.calls.Load() > 0
	})
	await(t, "no more calls at the one that left", func() bool {
		before := a.calls.Load()
		for range 20 {
			mustCall(t, client)
		}
		return a.calls.Load() == before
	})

	plane.list(t, "hello", thief.address)
	await(t, "the end of the calls", func() bool {
		err := call(client)
		return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "spiffe://test/thief")
	})
	if thief.calls.Load() != 0 {
		t.Error("a server of another name was called, though the control plane listed it")
	}
	plane.list(t, "hello", c.address)
	await(t, "calls at the right replica", func() bool { return call(client) == nil })
}

// dialHello returns a client of hello by Dial, and the service that dials.
func dialHello(t *testing.T, ca *chassistest.CA) (client hellov1.HelloServiceClient, till *chassistest.Running) {
	t.Helper()
	till = chassistest.Start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		conn, err := app.Dial(ctx, "hello")
		client = hellov1.NewHelloServiceClient(conn)
		return err
	}}, chassistest.Options{CA: ca, Env: map[string]string{"CHASSIS_HELLO_TARGET": "xds:///hello"}})
	return client, till
}

func call(client hellov1.HelloServiceClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := client.SayHello(ctx, &hellov1.SayHelloRequest{})
	return err
}

func mustCall(t *testing.T, client hellov1.HelloServiceClient) {
	t.Helper()
	if err := call(client); err != nil {
		t.Fatal(err)
	}
}

// await polls until condition holds, for a minute at most. Real servers and connections do the
// work.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// replica is a server of hello with an identity.
type replica struct {
	hellov1.UnimplementedHelloServiceServer
	address string
	calls   atomic.Int64
}

func (r *replica) SayHello(context.Context, *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	r.calls.Add(1)
	return &hellov1.SayHelloResponse{}, nil
}

type source struct{ id *mtls.Identity }

func (s source) Identity() (*mtls.Identity, error) { return s.id, nil }

func startReplica(t *testing.T, ca *chassistest.CA, name string) *replica {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{address: listener.Addr().String()}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(mtls.ServerTLS(source{ca.Identity(name)}, mtls.ServerOptions{NextProtos: []string{"h2"}}))))
	hellov1.RegisterHelloServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return r
}

// writeBootstrap says where the control plane is.
func writeBootstrap(t *testing.T, address string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"node": map[string]any{"id": node},
		"xds_servers": []any{map[string]any{
			"server_uri": address, "channel_creds": []any{map[string]any{"type": "insecure"}}, "server_features": []string{"xds_v3"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(bootstrap), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
