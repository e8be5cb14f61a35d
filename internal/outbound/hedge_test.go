package outbound_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/outbound"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

const hedgesMetric = "chassis_rpc_client_hedges_total"

// hedgedAfter is the policy of a method that is hedged.
func hedgedAfter(d time.Duration) *paddockv1.Policy {
	safe := true
	return &paddockv1.Policy{
		Timeout: durationpb.New(time.Second), Retry: &paddockv1.Retry{Safe: &safe, HedgeAfter: durationpb.New(d)},
	}
}

// try is how one attempt goes: after some milliseconds it ends with a code.
type try struct {
	after int
	code  codes.Code
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestHedge(t *testing.T) {
	const never = 1_000_000
	for name, test := range map[string]struct {
		first, second try
		from          string // whose reply the caller gets; empty for an error
		code          codes.Code
		took          int    // milliseconds
		result        string // counted; empty for nothing
	}{
		"answered in time":               {try{19, codes.OK}, try{}, "first", codes.OK, 19, ""},
		"failed in time":                 {try{19, codes.Unavailable}, try{}, "", codes.Unavailable, 19, ""},
		"the second is faster":           {try{never, codes.OK}, try{5, codes.OK}, "second", codes.OK, 25, "won"},
		"the first is faster":            {try{30, codes.OK}, try{never, codes.OK}, "first", codes.OK, 30, "lost"},
		"the first fails":                {try{30, codes.Unavailable}, try{50, codes.OK}, "second", codes.OK, 70, "won"},
		"the first has a definite error": {try{30, codes.NotFound}, try{50, codes.OK}, "", codes.NotFound, 30, "lost"},
		"the second fails":               {try{100, codes.OK}, try{5, codes.Internal}, "first", codes.OK, 100, "lost"},
		"both fail":                      {try{100, codes.Unavailable}, try{5, codes.Internal}, "", codes.Unavailable, 100, "lost"},
		"both fail, the second later":    {try{30, codes.Unavailable}, try{50, codes.Internal}, "", codes.Unavailable, 70, "lost"},
		"neither answers":                {try{never, codes.OK}, try{never, codes.OK}, "", codes.DeadlineExceeded, 1000, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent, running atomic.Int32
				c := answered(t, func(ctx context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					running.Add(1)
					defer running.Add(-1)
					attempt, from := test.first, "first"
					if sent.Add(1) == 2 {
						attempt, from = test.second, "second"
					}
					select {
					case <-time.After(milliseconds(attempt.after)):
					case <-ctx.Done():
						return status.FromContextError(ctx.Err()).Err()
					}
					if attempt.code == codes.OK {
						reply.(*message).Fields = map[string]*structpb.Value{from: structpb.NewStringValue(from)}
					}
					return status.Error(attempt.code, from)
				}, hedgedAfter(20*time.Millisecond))
				start, reply := time.Now(), new(message)
				err := c.conn.Invoke(context.Background(), unary, new(message), reply)
				if took := time.Since(start); status.Code(err) != test.code || took != milliseconds(test.took) {
					t.Errorf("got %v after %s, want %s after %s", err, took, test.code, milliseconds(test.took))
				}
				if n := running.Load(); n != 0 {
					t.Errorf("%d attempts run on after the call", n)
				}
				if test.from != "" && (len(reply.GetFields()) != 1 || reply.GetFields()[test.from] == nil) {
					t.Errorf("got the reply %v, want that of the %s attempt", reply, test.from)
				}
				c.wantValue(t, clientMetric, nil, 1)
				want := 0.0
				if test.result != "" {
					want = 1
					c.wantValue(t, hedgesMetric, labels{"rpc_method": unary[1:], "server_address": "tester", "result": test.result}, 1)
				}
				c.wantValue(t, hedgesMetric, nil, want)
			})
		})
	}
}

// Whoever gives up the call gives up both attempts.
func TestHedgeIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			<-ctx.Done()
			return status.FromContextError(ctx.Err()).Err()
		}, hedgedAfter(20*time.Millisecond))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := c.call(ctx); status.Code(err) != codes.Canceled {
			t.Errorf("got %v, want CANCELLED", err)
		}
	})
}

// A service that has become slow gets a tenth more calls, and not twice as many.
func TestHedgeBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int32
		c := answered(t, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			count.Add(1)
			time.Sleep(30 * time.Millisecond)
			return nil
		}, hedgedAfter(20*time.Millisecond))
		const calls = 1000
		for range calls {
			if err := c.call(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		sent := int(count.Load())
		t.Logf("%d sent for %d calls", sent, calls)
		if sent < calls*11/10 || sent > calls*11/10+10 {
			t.Errorf("%d calls were sent, want a tenth more than %d, and 10", sent, calls)
		}
		c.wantValue(t, hedgesMetric, labels{"result": "withheld"}, float64(2*calls-sent))
	})
}

// What the options ask for comes from the attempt that was taken, over a real transport, and each
// call's end is told once.
func TestHedgeOptions(t *testing.T) {
	leakcheck.Check(t)
	var seen sync.Map
	c := dialled(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		id := in.GetFields()["id"].GetStringValue()
		if _, again := seen.LoadOrStore(id, true); !again {
			<-ctx.Done() // for ever
			return nil, ctx.Err()
		}
		return in, grpc.SetTrailer(ctx, metadata.Pairs("id", id))
	}}, never, func(cfg *outbound.Config) {
		methods, _, err := contract.Compile(testService(), contract.Defaults{Overrides: contract.Overrides{
			unary[1:]: hedgedAfter(time.Millisecond),
		}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Methods = methods
	})
	var wg sync.WaitGroup
	for i := range 10 {
		id := strconv.Itoa(i)
		in, out := fields(t, map[string]any{"id": id}), fields(t, map[string]any{"left": "over"})
		wg.Go(func() {
			var header, trailer metadata.MD
			var from peer.Peer
			ends := 0
			err := c.conn.Invoke(t.Context(), unary, in, out, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from),
				grpc.OnFinish(func(err error) {
					ends++
					if err != nil {
						t.Errorf("the end is told as %v", err)
					}
				}))
			if err != nil || out.GetFields()["id"].GetStringValue() != id || len(out.GetFields()) != 1 {
				t.Errorf("got %v, %v, want %s", out, err, id)
			}
			if got := trailer.Get("id"); len(got) != 1 || got[0] != id {
				t.Errorf("got the trailer %v, want %s", trailer, id)
			}
			if header == nil || from.Addr == nil || ends != 1 {
				t.Errorf("the header is %v, the peer %v, and %d ends were told", header, from, ends)
			}
			in.Reset() // the request is the caller's again
		})
	}
	wg.Wait()
}

// Without a protobuf message there is nothing to put a second answer into, so there is no second
// attempt.
func TestHedgeNeedsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := answered(t, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			sent++
			time.Sleep(time.Second / 2)
			return nil
		}, hedgedAfter(20*time.Millisecond))
		if err := c.conn.Invoke(context.Background(), unary, "raw", new(string)); err != nil || sent != 1 {
			t.Errorf("got %v after %d attempts, want one", err, sent)
		}
	})
}

// An interceptor that panics in the second attempt panics in the goroutine of the call, as it does
// in the first, and neither attempt outlives the call.
func TestHedgePanics(t *testing.T) {
	for name, panics := range map[string]int32{"the first": 1, "the second": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent, running atomic.Int32
				c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					running.Add(1)
					defer running.Add(-1)
					if sent.Add(1) == panics {
						time.Sleep(50 * time.Millisecond)
						panic("of an interceptor")
					}
					<-ctx.Done()
					time.Sleep(10 * time.Millisecond)
					return status.FromContextError(ctx.Err()).Err()
				}, hedgedAfter(20*time.Millisecond))
				defer func() {
					if got := recover(); got != "of an interceptor" || running.Load() != 0 {
						t.Errorf("recovered %v while %d attempts are running", got, running.Load())
					}
				}()
				err := c.call(context.Background())
				t.Errorf("got %v, want a panic", err)
			})
		})
	}
}

// A second attempt that ends its goroutine counts as one that failed.
func TestHedgeExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		c := answered(t, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			if sent.Add(1) == 2 {
				runtime.Goexit()
			}
			time.Sleep(100 * time.Millisecond)
			return status.Error(codes.Unavailable, "as planned")
		}, hedgedAfter(20*time.Millisecond))
		if err := c.call(context.Background()); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v, want that of the first attempt", err)
		}
	})
}
