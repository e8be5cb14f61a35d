package balance_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
)

// BenchmarkCall compares the policy with the two of gRPC, over a connection in memory.
func BenchmarkCall(b *testing.B) {
	for _, policy := range []string{"round_robin", "weighted_round_robin", balance.Name} {
		b.Run(policy, func(b *testing.B) {
			call := caller(b, policy)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// TestCallAllocates bounds what an attempt costs over round_robin: what weighted_round_robin adds,
// and one object.
func TestCallAllocates(t *testing.T) {
	per := func(policy string) float64 { return testing.AllocsPerRun(2000, caller(t, policy)) }
	least, most := per("round_robin"), per(balance.Name)
	t.Logf("%.1f allocations with round_robin, %.1f with %s", least, most, balance.Name)
	if most-least > 2.5 {
		t.Errorf("%.1f allocations more than round_robin, want 2", most-least)
	}
}

// caller returns a function that makes a call.
func caller(t testing.TB, policy string) func() {
	t.Helper()
	listener, server := bufconn.Listen(1<<16), grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		in := new(emptypb.Empty)
		if err := stream.RecvMsg(in); err != nil {
			return err
		}
		return stream.SendMsg(in)
	}))
	go func() { _ = server.Serve(listener) }()
	peer, err := balance.NewPeer(balance.Options{Peer: "test", Methods: []*contract.Method{{FullMethod: get, Name: get[1:]}}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(peer.Credentials(insecure.NewCredentials())),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"`+policy+`": {}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); server.Stop() })
	ctx, in, out := t.Context(), new(emptypb.Empty), new(emptypb.Empty)
	return func() {
		if err := conn.Invoke(ctx, get, in, out); err != nil {
			t.Fatal(err)
		}
	}
}
