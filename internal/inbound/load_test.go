package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/balance"
)

const loadTrailer = "endpoint-load-metrics-bin"

// busy is a server each of whose calls takes so much processor time and ends at once.
type busy struct {
	*fixture
	cost  time.Duration
	calls atomic.Int64
}

func newBusy(t testing.TB, cost time.Duration, answer func(*message) error) *busy {
	b := &busy{cost: cost}
	b.fixture = newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		b.calls.Add(1)
		return in, answer(in)
	}}, func(s *setup) {
		s.Validate = func(m proto.Message) error {
			if m.(*message).GetFields()["refuse"] != nil {
				return errors.New("refused")
			}
			return nil
		}
	})
	b.SetCPU(func() time.Duration { return time.Duration(b.calls.Load()) * b.cost })
	return b
}

func fine(*message) error { return nil }

// cores is a share of all processors, for a second.
func cores(share float64) time.Duration {
	return time.Duration(share * float64(runtime.GOMAXPROCS(0)) * float64(time.Second))
}

// orca decodes a report by the numbers of its fields.
func orca(t testing.TB, b string) map[protowire.Number]float64 {
	t.Helper()
	fields := map[protowire.Number]float64{}
	for rest := []byte(b); len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 || kind != protowire.Fixed64Type {
			t.Fatalf("%x is no report", b)
		}
		value, m := protowire.ConsumeFixed64(rest[n:])
		if m < 0 {
			t.Fatalf("%x is no report", b)
		}
		fields[number], rest = math.Float64frombits(value), rest[n+m:]
	}
	return fields
}

// In a bubble of synctest, as calls that take no time come at exact times.
func TestLoadReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(t, cores(.5)/100, func(in *message) error { // a hundred calls a second use half of the processors
			if in.GetFields()["fail"] != nil {
				return errors.New("by the server's fault")
			}
			return nil
		})
		conn := b.serve(t)
		var reports []string
		in := []*message{fields(t, map[string]any{"fail": true}), fields(t, map[string]any{"refuse": true}), {}, {}, {}, {}, {}, {}, {}, {}}
		for i := range 1000 {
			var trailer metadata.MD
			_ = conn.Invoke(t.Context(), unary, in[i%len(in)], new(message), grpc.Trailer(&trailer))
			if found := trailer.Get(loadTrailer); len(found) == 1 {
				reports = append(reports, found[0])
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(reports) < 400 || len(reports) > 500 {
			t.Errorf("%d of 1000 calls in ten seconds carried a report, want nearly 50 a second", len(reports))
		}
		got := orca(t, reports[len(reports)-1])
		for number, want := range map[protowire.Number]float64{1: .45, 6: 90, 7: 10} {
			if math.Abs(got[number]-want) > want/20 {
				t.Errorf("field %d is %v, want about %v", number, got[number], want)
			}
		}
		_ = conn.Close()
	})
}

// A server with little to do tells nothing, nor one that was not called for long.
func TestNothingToReport(t *testing.T) {
	for name, test := range map[string]struct{ cost, pause time.Duration }{
		"little to do": {cores(.05) / 100, 10 * time.Millisecond},
		"rare calls":   {cores(3), 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBusy(t, test.cost, fine)
				conn := b.serve(t)
				for range 200 {
					var trailer metadata.MD
					if err := conn.Invoke(t.Context(), unary, new(message), new(message), grpc.Trailer(&trailer)); err != nil {
						t.Fatal(err)
					}
					if trailer.Get(loadTrailer) != nil {
						t.Fatalf("got %v", orca(t, trailer.Get(loadTrailer)[0]))
					}
					time.Sleep(test.pause)
				}
				_ = conn.Close()
			})
		})
	}
}

// By the client's policy: a replica whose calls cost three times as much gets a third of the calls
// that the other gets, and one that fails now and then fewer than one that does not, although
// failing costs no more.
func TestClientsFollowLoad(t *testing.T) {
	for name, test := range map[string]struct {
		first       func(*message) error
		cost        float64 // of a hundred calls at the first; at the second they cost .2
		least, most float64
	}{
		"dear":  {fine, .6, .2, .3},
		"fails": {oneInEight(), .2, .2, .45}, // too seldom to be taken out
	} {
		t.Run(name, func(t *testing.T) { followLoad(t, test.first, test.cost, test.least, test.most) })
	}
}

// oneInEight fails one in eight calls.
func oneInEight() func(*message) error {
	var n atomic.Int64
	return func(*message) error {
		if n.Add(1)%8 == 0 {
			return errors.New("by the server's fault")
		}
		return nil
	}
}

// followLoad fails unless the first of two replicas has a share of the calls between least and
// most.
func followLoad(t *testing.T, first func(*message) error, cost, least, most float64) {
	synctest.Test(t, func(t *testing.T) {
		replicas := []*busy{newBusy(t, cores(cost)/100, first), newBusy(t, cores(.2)/100, fine)}
		listeners := map[string]*bufconn.Listener{}
		addresses := resolver.State{}
		for i, b := range replicas {
			listener, server := bufconn.Listen(1<<16), grpc.NewServer()
			server.RegisterService(b.desc, nil)
			go func() { _ = server.Serve(listener) }()
			defer server.Stop()
			listeners[fmt.Sprint(i)] = listener
			addresses.Addresses = append(addresses.Addresses, resolver.Address{Addr: fmt.Sprint(i)})
		}
		found := manual.NewBuilderWithScheme("test")
		found.InitialState(addresses)
		conn, err := grpc.NewClient("test:///replicas", grpc.WithResolvers(found), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return listeners[address].DialContext(ctx)
			}),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"`+balance.Name+`": {}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		var before int64
		for i := range 6000 {
			if i == 3000 {
				before = replicas[0].calls.Load()
			}
			if err := conn.Invoke(t.Context(), unary, new(message), new(message)); status.Code(err) == codes.Unavailable {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if got := float64(replicas[0].calls.Load()-before) / 3000; got < least || got > most {
			t.Errorf("the first replica had a share of %.3f, want %v to %v", got, least, most)
		}
		_ = conn.Close()
		synctest.Wait()
	})
}
