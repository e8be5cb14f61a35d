package balance

import (
	"testing"
	"time"

	"google.golang.org/grpc/balancer"

	"github.com/betmakers/paddock/internal/contract"
)

// always picks one replica.
type always struct{ to *subConn }

func (a always) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: a.to}, nil
}

// BenchmarkPick is what the policy adds to an attempt, from the pick to its end.
func BenchmarkPick(b *testing.B) {
	peer, err := NewPeer(Options{Methods: []*contract.Method{{FullMethod: "/a/b", Name: "a/b"}}})
	if err != nil {
		b.Fatal(err)
	}
	p := &picker{policy: newPolicy(peer, time.Now()), child: always{&subConn{replica: &replica{}}}}
	info := balancer.PickInfo{FullMethodName: "/a/b", Ctx: b.Context()}
	b.ReportAllocs()
	for b.Loop() {
		result, err := p.Pick(info)
		if err != nil {
			b.Fatal(err)
		}
		result.Done(balancer.DoneInfo{BytesSent: true})
	}
}
