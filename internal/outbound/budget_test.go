package outbound_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/outbound"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

const refusedMetric = "chassis_rpc_client_refused_total"

// answered is the client's side of a connection that leads nowhere: what answer returns is what the
// service answers.
func answered(t *testing.T, answer grpc.UnaryInvoker, policies ...*paddockv1.Policy) *clientSide {
	t.Helper()
	return answeredAs(t, answer, false, policies...)
}

// answeredAs is answered where configured says that gRPC sees to the deadlines of the contract.
func answeredAs(t *testing.T, answer grpc.UnaryInvoker, configured bool, policies ...*paddockv1.Policy) *clientSide {
	t.Helper()
	defaults := contract.Defaults{}
	for _, p := range policies {
		defaults.Overrides = contract.Overrides{unary[1:]: p}
	}
	unaryMethods, streams, err := contract.Compile(testService(), defaults)
	if err != nil {
		t.Fatal(err)
	}
	c := &clientSide{fixture: &fixture{registry: prometheus.NewPedanticRegistry()}}
	client, err := outbound.NewClient(outbound.Config{Methods: append(unaryMethods, streams...), Registerer: c.registry})
	if err != nil {
		t.Fatal(err)
	}
	c.conn, err = grpc.NewClient("passthrough:///nowhere", append(client.DialOptions("tester", configured),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return answer(ctx, method, req, reply, cc, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
			return nil, status.Error(codes.Aborted, "as always")
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.conn.Close() })
	return c
}

func (c *clientSide) call(ctx context.Context) error {
	return c.conn.Invoke(ctx, unary, new(message), new(message))
}

// within runs do in the handler of a call that has so much time, and ends it.
func within(t *testing.T, timeout time.Duration, do func(ctx context.Context), policies ...*paddockv1.Policy) {
	t.Helper()
	served := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		do(ctx)
		return in, nil
	}}, func(s *setup) {
		for _, p := range policies {
			s.Overrides = contract.Overrides{unary[1:]: p}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = served.method(t, unary).Serve(nil, newFakeStream(ctx))
}

func TestDeadlineBudget(t *testing.T) {
	none := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	own := func(timeout time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, timeout)
		}
	}
	for name, test := range map[string]struct {
		served time.Duration // zero: outside of any call
		own    func(context.Context) (context.Context, context.CancelFunc)
		want   time.Duration // zero: no deadline
	}{
		"no deadline at all":              {0, none, 0},
		"a deadline outside of a call":    {0, own(time.Second), time.Second},
		"long":                            {10 * time.Second, none, 10*time.Second - 10*time.Millisecond},
		"short":                           {100 * time.Millisecond, none, 95 * time.Millisecond},
		"an earlier one of the handler":   {time.Second, own(100 * time.Millisecond), 100 * time.Millisecond},
		"one of the handler in the share": {time.Second, own(995 * time.Millisecond), 990 * time.Millisecond},
		"taken out of the call": {time.Second, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithoutCancel(ctx), func() {}
		}, 0},
		"taken out of the call, with more time": {time.Second, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					calls++
					at, ok := ctx.Deadline()
					if left := time.Until(at); ok != (test.want > 0) || ok && left != test.want {
						t.Errorf("%s left, %v, want %s", left, ok, test.want)
					}
					return nil
				})
				do := func(ctx context.Context) {
					ctx, cancel := test.own(ctx)
					defer cancel()
					if err := c.call(ctx); err != nil {
						t.Error(err)
					}
				}
				if test.served > 0 {
					within(t, test.served, do)
				} else {
					do(context.Background())
				}
				if calls != 1 {
					t.Errorf("%d calls were sent, want 1", calls)
				}
			})
		})
	}
}

// The contract's deadline is set where gRPC's service config does not have it, unless there is less
// time anyway.
func TestContractDeadline(t *testing.T) {
	const contract = 3 * time.Second
	for name, test := range map[string]struct {
		configured bool
		served     time.Duration
		want       time.Duration // zero: no deadline
	}{
		"by the pass":                                    {false, 0, contract},
		"by the pass, within a call":                     {false, time.Minute, contract},
		"by the pass, within a call that ends before":    {false, time.Second, time.Second - 10*time.Millisecond},
		"by the pass, within the reserve":                {false, contract + 5*time.Millisecond, contract - 5*time.Millisecond},
		"configured":                                     {true, 0, 0},
		"configured, within a call":                      {true, time.Minute, time.Minute},
		"configured, within a call that ends before":     {true, time.Second, time.Second - 10*time.Millisecond},
		"configured, within the reserve":                 {true, contract + 5*time.Millisecond, contract - 5*time.Millisecond},
		"configured, within a call that ends just after": {true, contract + 10*time.Millisecond, contract},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := answeredAs(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					at, ok := ctx.Deadline()
					if left := time.Until(at); ok != (test.want > 0) || ok && left != test.want {
						t.Errorf("%s left, %v, want %s", left, ok, test.want)
					}
					return nil
				}, test.configured, &paddockv1.Policy{Timeout: durationpb.New(contract)})
				if test.served == 0 {
					_ = c.call(context.Background())
				} else {
					within(t, test.served, func(ctx context.Context) { _ = c.call(ctx) })
				}
				c.wantValue(t, clientMetric, labels{"rpc_status_code": "OK"}, 1)
			})
		})
	}
}

// A deadline that the pass has set does not outlast the call.
func TestDeadlineBudgetIsCleanedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			context.AfterFunc(ctx, func() { ended = true })
			return nil
		})
		within(t, time.Minute, func(ctx context.Context) {
			if err := c.call(ctx); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if !ended {
				t.Error("the context of the call has not ended with it")
			}
		})
	})
}

// A call without time is refused before it is sent, and counted like any other.
func TestDeadlineSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := answered(t, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			sent++
			return nil
		})
		refuses := func(ctx context.Context) {
			if err := c.call(ctx); status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "not sent") {
				t.Errorf("got %v, want DEADLINE_EXCEEDED", err)
			}
			if _, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, serverStream); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("got %v, want DEADLINE_EXCEEDED", err)
			}
		}
		within(t, time.Second, func(ctx context.Context) {
			time.Sleep(time.Second)
			refuses(ctx)
		})
		ctx, cancel := context.WithTimeout(context.Background(), -1)
		defer cancel()
		refuses(ctx)
		if sent != 0 {
			t.Errorf("%d calls were sent, want none", sent)
		}
		c.wantValue(t, refusedMetric, labels{"rpc_method": unary[1:], "server_address": "tester", "reason": "spent"}, 2)
		c.wantValue(t, refusedMetric, nil, 4)
		c.wantValue(t, clientMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 4)
	})
}

// A call is sent however little time is left: the service may have become faster, and the question
// may be a quick one.
func TestLittleTimeIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, sent := 500*time.Millisecond, 0
		c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			sent++
			time.Sleep(takes)
			return ctx.Err()
		})
		call := func(left time.Duration) error {
			ctx, cancel := context.WithTimeout(context.Background(), left)
			defer cancel()
			return c.call(ctx)
		}
		for range 100 {
			_ = call(time.Second)
		}
		takes, sent = time.Millisecond, 0
		for range 16 {
			if err := call(10 * time.Millisecond); err != nil {
				t.Errorf("got %v", err)
			}
		}
		if sent != 16 {
			t.Errorf("%d of 16 calls were sent", sent)
		}
	})
}

// Streams last as long as they like: their length says nothing about how much time they need.
func TestStreamsAreNeverTooShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := answered(t, nil)
		for range 100 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
			if _, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, serverStream); status.Code(err) != codes.Aborted {
				t.Fatalf("got %v, want what the service answers", err)
			}
			cancel()
		}
	})
}

// What a served call is worth travels with the calls made for it.
func TestCriticalityTravels(t *testing.T) {
	for worth, want := range map[paddockv1.Criticality]string{
		paddockv1.Criticality_CRITICALITY_CRITICAL:  "critical",
		paddockv1.Criticality_CRITICALITY_NORMAL:    "",
		paddockv1.Criticality_CRITICALITY_SHEDDABLE: "sheddable",
	} {
		t.Run(worth.String(), func(t *testing.T) {
			var got []string
			c := answered(t, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				md, _ := metadata.FromOutgoingContext(ctx)
				got = append(got, strings.Join(md.Get("paddock-criticality"), ","))
				return nil
			})
			within(t, time.Minute, func(ctx context.Context) { _ = c.call(ctx) }, &paddockv1.Policy{Criticality: worth})
			_ = c.call(context.Background())
			if len(got) != 2 || got[0] != want || got[1] != "" {
				t.Errorf("got %q, want %q and nothing outside of a call", got, want)
			}
		})
	}
}
