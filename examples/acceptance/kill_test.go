package acceptance_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// One of three replicas dies without a word, under load by Dial. Calls that may be repeated all
// succeed, wherever they were. Of the others those are lost that were under way at the dead one,
// and no more. It runs alone: calls have the two seconds of their contract, also on a busy machine.
func TestReplicaIsKilled(t *testing.T) {
	ca := chassistest.NewCA(t)
	files := writeIdentity(t, ca, "testservice")
	var replicas []*process
	var addresses []string
	for range 3 {
		p := start(t, testservice, append(files, "CHASSIS_LOG_REQUESTS=none")...)
		replicas, addresses = append(replicas, p), append(addresses, p.grpc)
	}
	client := dialReplicas(t, ca, addresses)

	greetings := startLoad(150, 20, func(ctx context.Context) (string, error) {
		_, err := client.SayHello(ctx, &hellov1.SayHelloRequest{Name: "brief"})
		return "", err
	})
	streams := &streamLog{served: map[string]int{}}
	counts := startLoad(50, 100, func(ctx context.Context) (string, error) {
		streams.one(ctx, client)
		return "", nil
	})
	await(t, "load at every replica", func() bool { return greetings.count() > 150 && streams.everywhere(addresses) })

	killed, at := replicas[1], time.Now()
	killed.signal(syscall.SIGKILL)
	<-killed.exited
	before := greetings.count()
	await(t, "load after the death", func() bool { return greetings.count() > before+600 })
	greetings.end(t, "calls that may be repeated")
	counts.end(t, "streams")

	lost := 0
	for _, f := range streams.failed {
		if f.peer != killed.grpc || f.begun.After(at.Add(time.Second)) {
			t.Errorf("a stream to %s was lost, which began %s after the death of %s: %v", f.peer, f.begun.Sub(at), killed.grpc, f.err)
		}
		lost++
	}
	t.Logf("%d of %d calls that may be repeated lost, %d of %d streams", len(greetings.failed), greetings.count(), lost, counts.count())
	if lost == 0 {
		t.Error("no stream was under way at the dead replica: the test shows nothing")
	}
}

// dialReplicas returns a client by Dial, of a service that finds the replicas under their
// addresses.
func dialReplicas(t *testing.T, ca *chassistest.CA, addresses []string) hellov1.HelloServiceClient {
	t.Helper()
	var client hellov1.HelloServiceClient
	chassistest.Start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		conn, err := app.Dial(ctx, "testservice")
		client = hellov1.NewHelloServiceClient(conn)
		return err
	}}, chassistest.Options{CA: ca, Env: map[string]string{"CHASSIS_TESTSERVICE_TARGET": "listed:///" + strings.Join(addresses, ",")}})
	return client
}

// listed resolves a target to the addresses that stand in it.
type listed struct{}

var _ = func() bool { resolver.Register(listed{}); return true }()

func (listed) Scheme() string                        { return "listed" }
func (listed) ResolveNow(resolver.ResolveNowOptions) {}
func (listed) Close()                                {}
func (listed) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	var state resolver.State
	for address := range strings.SplitSeq(target.Endpoint(), ",") {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	return listed{}, cc.UpdateState(state)
}

// writeIdentity returns the settings of a service that has its identity from files.
func writeIdentity(t *testing.T, ca *chassistest.CA, name string) []string {
	t.Helper()
	id := ca.Identity(name)
	key, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := []string{"CHASSIS_ENVIRONMENT=development", "CHASSIS_MTLS=files"} // certificates alone would mean production
	for _, f := range []struct {
		variable, kind string
		der            []byte
	}{
		{"CHASSIS_TLS_CERT_FILE", "CERTIFICATE", id.Certificate.Certificate[0]},
		{"CHASSIS_TLS_KEY_FILE", "PRIVATE KEY", key},
		{"CHASSIS_TLS_CA_FILE", "CERTIFICATE", id.Authorities[0].Raw},
	} {
		file := filepath.Join(dir, f.variable)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			t.Fatal(err)
		}
		env = append(env, f.variable+"="+file)
	}
	return env
}

// streamLog remembers where streams ran, and those that were lost.
type streamLog struct {
	mu     sync.Mutex
	served map[string]int // by address
	failed []lostStream
}

type lostStream struct {
	peer  string
	begun time.Time
	err   error
}

// one reads a stream that takes a while.
func (l *streamLog) one(ctx context.Context, client hellov1.HelloServiceClient) {
	lost := lostStream{begun: time.Now()}
	stream, err := client.Count(ctx, &hellov1.CountRequest{Name: "slow"})
	for err == nil {
		_, err = stream.Recv()
	}
	lost.peer, lost.err = peerOf(stream), err
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, io.EOF) {
		l.served[lost.peer]++
	} else {
		l.failed = append(l.failed, lost)
	}
}

// peerOf returns the address of the server of a stream, empty if it never got to one.
func peerOf(stream grpc.ServerStreamingClient[hellov1.CountResponse]) string {
	if stream == nil {
		return ""
	}
	if p, ok := peer.FromContext(stream.Context()); ok {
		return p.Addr.String()
	}
	return fmt.Sprintf("%T without a peer", stream)
}

// everywhere reports whether every replica has served a stream.
func (l *streamLog) everywhere(addresses []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, address := range addresses {
		if l.served[address] == 0 {
			return false
		}
	}
	return true
}
