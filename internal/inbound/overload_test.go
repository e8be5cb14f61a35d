package inbound_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// crowded is a limiter of a machine with one processor for which others wait while the test wants
// it so.
type crowded struct {
	*admission.Limiter
	runnable atomic.Int64
}

func newCrowded(reports bool) *crowded {
	b := new(crowded)
	looks := 0
	b.Limiter = admission.NewWith(func() admission.Look {
		looks++ // and the queue grows, as one of calls does that are too many
		runnable := looks
		if b.State().Holding {
			runnable = 8 // not more than the calls that run and those on their way
		}
		return admission.Look{Procs: 1, Runnable: runnable * int(b.runnable.Load())}
	}, reports)
	return b
}

func (b *crowded) limits(s *setup) { s.Admission = b.Limiter }

// hold has the limiter hold calls back from now on. It must be called in a bubble of synctest. The
// calls that run in the end run until the test is over.
func (b *crowded) hold(t *testing.T) {
	t.Helper()
	b.runnable.Store(1)
	for range 100 {
		if b.State().Holding {
			b.crowd(t)
			return
		}
		b.Enter(t.Context(), new(admission.Ticket), time.Now())
		time.Sleep(2 * time.Millisecond) // of a bubble
	}
	t.Fatal("no call is held back")
}

// crowd has so many calls wait that they fill each limit that is tried, and returns when one was.
func (b *crowded) crowd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { b.Enter(ctx, &admission.Ticket{Worth: contract.Sheddable}, time.Now()) })
	}
	time.Sleep(200 * time.Millisecond) // of a bubble
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
}

// overload has more calls come than go, until those are refused whose turn does not come soon.
func (b *crowded) overload(t *testing.T) {
	t.Helper()
	b.hold(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 5000 {
		if s := b.State(); s.Overloaded || !s.Holding {
			break
		}
		all.Go(func() { b.Enter(ctx, new(admission.Ticket), time.Now()) })
		time.Sleep(time.Millisecond) // of a bubble
	}
	if !b.State().Overloaded {
		t.Fatalf("it is no overload: %+v", b.State())
	}
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
}

func onHold(t *testing.T, test func(t *testing.T, b *crowded)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newCrowded(false)) })
}

// What is too much is refused, and everybody is told: the caller when to come back, the metrics
// why, and the objective that a call was lost.
func TestOverloadIsRefused(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits)
		b.overload(t)
		refused := 0
		for _, err := range together(200, func() error { return f.method(t, unary).Serve(nil, newFakeStream(t.Context())) }) {
			if status.Code(err) != codes.Unavailable {
				t.Fatalf("the caller got %v", err)
			}
			wantRetryInfo(t, err)
			refused++
		}
		if refused < 40 {
			t.Errorf("%d of 200 calls were refused", refused)
		}
		f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "overload"}, float64(refused))
		f.wantValue(t, callsMetric, labels{"rpc_method": unary[1:], "rpc_status_code": "UNAVAILABLE"}, float64(refused))
		lines := slices.DeleteFunc(f.lines.records(t), func(line map[string]any) bool { return line["code"] == "OK" })
		if line := lines[0]; line["reason"] != "overload" || line["code"] != "UNAVAILABLE" || line["level"] != "WARN" ||
			line["explain"] != "more calls than the processors can do" {
			t.Errorf("the line is %v", line)
		}
		f.wantValue(t, "chassis_admission_holding", nil, 1)
		if waited := f.value(t, "chassis_admission_wait_seconds_total", nil); waited <= 0 {
			t.Errorf("calls have waited %v s", waited)
		}
	})
}

// Callers of the own trust domain are told that it is the processors.
func TestOwnCallersAreToldOfTheProcessors(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits, policy(t, `{"public": true}`))
		f.SetTrustDomain("test")
		b.overload(t)
		for peer, own := range map[string]bool{"spiffe://test/web": true, "spiffe://other/web": false, "": false} {
			errs := together(50, func() error { return f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), peer))) })
			if len(errs) == 0 {
				t.Errorf("no call of %q was refused", peer)
			}
			for _, err := range errs {
				if strings.Contains(err.Error(), "processors") != own {
					t.Errorf("%q is told %v", peer, err)
				}
			}
		}
	})
}

func wantRetryInfo(t *testing.T, err error) {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return
		}
	}
	t.Errorf("%v does not tell when to come back", err)
}

// REST takes its places at the same counter.
func TestOverloadIsRefusedByREST(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits)
		b.overload(t)
		errs := together(200, func() error {
			return f.Conn(inbound.RESTConfig{}).Invoke(t.Context(), unary, new(message), new(message))
		})
		for _, err := range errs {
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the caller got %v", err)
			}
		}
		if len(errs) < 40 {
			t.Errorf("%d of 200 calls were refused", len(errs))
		}
		f.wantValue(t, rejectedMetric, labels{"reason": "overload"}, float64(len(errs)))
	})
}

// together makes so many calls at once, as a caller must who is to be refused: one call of who
// makes few is let in. It returns the errors.
func together(n int, do func() error) (errs []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := do(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return errs
}

// Probes answer in the worst of times, and when the service leaves no call is refused.
func TestNeverRefused(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits)
		f.wrap(t, &grpc.ServiceDesc{
			ServiceName: "grpc.health.v1.Health", HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: serveUnary}},
		}, testHandlers{unary: echo})
		b.overload(t)
		if err := f.method(t, "/grpc.health.v1.Health/Check").Serve(nil, newFakeStream(t.Context())); err != nil {
			t.Errorf("a probe was answered with %v", err)
		}
		f.Leave()
		if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
			t.Errorf("a call to a service that leaves was answered with %v", err)
		}
	})
}

// A caller that may not make the call does not wait to be told so.
func TestDeniedCallsDoNotWait(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, unreachable(t), b.limits, func(s *setup) { s.Defaults = contract.Defaults{} })
		f.SetTrustDomain("example.org")
		b.hold(t)
		start := time.Now()
		if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); status.Code(err) != codes.Unauthenticated {
			t.Errorf("the caller got %v", err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it waited for %v", took)
		}
	})
}

// A call that runs out of time while it is held back is one that the overload has cost, for the
// objectives too.
func TestDeathInTheQueueIsOverload(t *testing.T) {
	for name, test := range map[string]struct {
		timeout time.Duration // of the method
		callers string
	}{
		"the method's timeout": {200 * time.Millisecond, ""},
		"the caller's by REST": {0, "0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			onHold(t, func(t *testing.T, b *crowded) {
				f := newChain(t, unreachable(t), b.limits, func(s *setup) { s.Defaults = contract.Defaults{Timeout: test.timeout} })
				b.hold(t)
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
				if test.callers != "" {
					r.Header.Set("Request-Timeout", test.callers)
				}
				start := time.Now()
				f.HTTP(takesTimeout(f.restRoutes(inbound.RESTConfig{})), inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
				if took := time.Since(start); took != 200*time.Millisecond {
					t.Errorf("the call ended after %v", took)
				}
				f.wantValue(t, rejectedMetric, labels{"reason": "overload"}, 1)
				f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
			})
		})
	}
}

// A call that is held back runs when processors are free again.
func TestHeldBackCallsRun(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits)
		b.hold(t)
		time.AfterFunc(300*time.Millisecond, func() { b.runnable.Store(0) })
		start := time.Now()
		if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
			t.Errorf("the call ended with %v", err)
		}
		if took := time.Since(start); took < 250*time.Millisecond || took > 400*time.Millisecond {
			t.Errorf("the call ran after %v, want some 300 ms", took)
		}
		f.wantValue(t, rejectedMetric, labels{}, 0)
	})
}

// A limiter that only reports holds no call back, and says which calls it would have refused.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCrowded(true)
		processor := make(chan struct{}, 1)
		f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
			processor <- struct{}{} // and looks at nothing until it is done, as a handler that computes
			time.Sleep(5 * time.Millisecond)
			<-processor
			return in, nil
		}}, b.limits)
		b.runnable.Store(1)
		var all sync.WaitGroup
		for range 5000 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
				defer cancel()
				if err := f.method(t, unary).Serve(nil, newFakeStream(ctx)); err != nil {
					t.Errorf("a call ended with %v", err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		f.wantValue(t, rejectedMetric, labels{}, 0)
		if n := f.value(t, auditedMetric, labels{"rpc_method": unary[1:], "reason": "overload"}); n < 1000 {
			t.Errorf("%v calls would have been refused, want most of 5000", n)
		}
		lines := f.lines.records(t)
		if line := lines[len(lines)-100]; line["would_refuse"] != "overload" {
			t.Errorf("the last line is %v", line)
		}
		if s := b.State(); s.Queued != 0 || s.Waited != 0 || s.Running != 0 {
			t.Errorf("the state is %+v", s)
		}
	})
}

// Every call that runs is counted once, however it ends, streams too.
func TestPlacesComeBack(t *testing.T) {
	f, conn := start(t, testHandlers{
		unary: func(_ context.Context, in *message) (*message, error) {
			if len(in.GetFields()) > 0 {
				panic("a handler that panics")
			}
			return in, nil
		},
		stream: func(stream grpc.ServerStream) error {
			_, _ = stream.(interface{ Context() context.Context }), stream.Context()
			return errors.New("a stream that fails")
		},
	}, limited)
	for range 20 {
		_ = conn.Invoke(t.Context(), unary, new(message), new(message))
		_ = conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": "b"}), new(message))
		_ = conn.Invoke(t.Context(), unary, new(message), new(message), grpc.CallContentSubtype("unknown"))
		_ = drainStream(openStream(t, conn, bidiStream))
	}
	f.settle(t)
	f.wantValue(t, "chassis_admission_running", nil, 0)
}

// grpc-go runs no handler for a message that is compressed in a way it does not know. Such a call
// takes no place.
func TestPermitOfACallWithoutHandler(t *testing.T) {
	f, conn := start(t, unreachable(t), limited, func(s *setup) {
		s.dial = append(s.dial, grpc.WithCompressor(unheardOf{})) //nolint:staticcheck // a compressor that is not registered
	})
	for range 30 {
		if err := conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": "b"}), new(message)); status.Code(err) != codes.Unimplemented {
			t.Fatalf("the caller got %v", err)
		}
	}
	f.wantValue(t, "chassis_admission_running", nil, 0)
}

type unheardOf struct{}

func (unheardOf) Do(w io.Writer, p []byte) error { _, err := w.Write(p); return err }
func (unheardOf) Type() string                   { return "unheard-of" }

func limited(s *setup) { s.Admission = admission.New() }

// What a call is worth is what its method declares, unless one of the own trust domain says
// otherwise.
func TestCriticality(t *testing.T) {
	const own, other = "spiffe://example.org/web", "spiffe://example.org.evil/web"
	tests := []struct {
		caller string
		header []string
		want   string
	}{
		{own, nil, "normal"},
		{own, []string{"critical"}, "critical"},
		{own, []string{"sheddable"}, "sheddable"},
		{own, []string{"urgent"}, "normal"},
		{own, []string{"critical", "sheddable"}, "normal"},
		{other, []string{"critical"}, "normal"},
		{"", []string{"critical"}, "normal"},
	}
	for i, test := range tests {
		for _, admitted := range []bool{true, false} {
			t.Run(strconv.Itoa(i)+"/"+strconv.FormatBool(admitted), func(t *testing.T) {
				var got string
				f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
					got = inbound.Criticality(ctx)
					return in, nil
				}}, func(s *setup) {
					if admitted {
						limited(s)
					}
					s.Defaults = contract.Defaults{}
				})
				f.SetTrustDomain("example.org")
				ctx := asPeer(t.Context(), test.caller)
				ctx = metadata.NewIncomingContext(ctx, metadata.MD{"paddock-criticality": test.header})
				err := f.method(t, unary).Serve(nil, newFakeStream(ctx))
				if denied := test.caller != own; denied {
					return
				}
				if err != nil || got != test.want {
					t.Errorf("the call is %s (%v), want %s", got, err, test.want)
				}
			})
		}
	}
}

// A caller whose message is slow to come loses nothing by it.
func TestSlowMessagesAreNotStarved(t *testing.T) {
	onHold(t, func(t *testing.T, b *crowded) {
		f := newChain(t, testHandlers{unary: echo}, b.limits)
		b.hold(t)
		time.AfterFunc(100*time.Millisecond, func() { b.runnable.Store(0) })
		stream := newFakeStream(t.Context())
		stream.late = 5 * time.Second
		if err := f.method(t, unary).Serve(nil, stream); err != nil {
			t.Errorf("the call ended with %v", err)
		}
	})
}
