package inbound_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/inbound"
	calls "github.com/betmakers/paddock/internal/served"
)

const timeMetric = "chassis_rpc_time_seconds_total"

// spends is a call whose handler is one of the given.
func spends(t *testing.T, handler func(ctx context.Context, call calls.Call)) *fixture {
	t.Helper()
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		handler(ctx, calls.From(ctx))
		return in, nil
	}})
	if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Fatal(err)
	}
	return f
}

// wantSpent checks the components of the unary method. They add up to the duration of its calls.
func (f *fixture) wantSpent(t *testing.T, want map[string]time.Duration) {
	t.Helper()
	all := time.Duration(0)
	for component, took := range want {
		all += took
		f.wantValue(t, timeMetric, labels{"rpc_method": "test.v1.Test/Unary", "component": component}, took.Seconds())
	}
	if got := f.value(t, timeMetric, labels{"rpc_method": "test.v1.Test/Unary"}); math.Abs(got-all.Seconds()) > 1e-9 {
		t.Errorf("all components are %v s together, want %v", got, all)
	}
}

func TestTimeByComponent(t *testing.T) {
	wallet, odds, mail := &calls.Component{Name: "rpc:wallet"}, &calls.Component{Name: "rpc:odds"}, &calls.Component{Name: "http:mail"}
	const step = 125 * time.Millisecond // time stands still between these, and their sums are exact
	in := func(call calls.Call, c *calls.Component, what func()) {
		call.Begin(c, time.Now())
		what()
		call.End(c, time.Now())
	}
	pause := func() { time.Sleep(step) }
	for name, tc := range map[string]struct {
		handler func(ctx context.Context, call calls.Call)
		want    map[string]time.Duration
	}{
		"own code": {func(context.Context, calls.Call) { pause() }, map[string]time.Duration{"self": step}},
		"one after the other": {func(_ context.Context, call calls.Call) {
			in(call, wallet, pause)
			pause()
			in(call, odds, pause)
			in(call, wallet, pause)
		}, map[string]time.Duration{"self": step, "rpc:wallet": 2 * step, "rpc:odds": step}},
		"within another": {func(_ context.Context, call calls.Call) {
			in(call, wallet, func() { pause(); in(call, odds, pause); pause() })
		}, map[string]time.Duration{"self": 0, "rpc:wallet": 2 * step, "rpc:odds": step}},
		"at once": {func(_ context.Context, call calls.Call) {
			var all sync.WaitGroup
			call.Begin(wallet, time.Now())
			all.Go(func() { defer func() { call.End(wallet, time.Now()) }(); pause(); pause(); pause() })
			call.Begin(odds, time.Now())
			all.Go(func() { defer func() { call.End(odds, time.Now()) }(); pause() })
			all.Wait()
		}, map[string]time.Duration{"self": 0, "rpc:wallet": 2 * step, "rpc:odds": step}},
		"more at once than are counted apart": {func(_ context.Context, call calls.Call) {
			others := make([]*calls.Component, 20)
			for i := range others {
				others[i] = &calls.Component{Name: "rpc:other"}
				call.Begin(others[i], time.Now())
			}
			pause()
			for _, other := range others {
				call.End(other, time.Now())
			}
			pause()
		}, map[string]time.Duration{"self": step, "rpc:other": step}},
		"ended without a beginning": {func(_ context.Context, call calls.Call) {
			call.End(mail, time.Now())
			pause()
		}, map[string]time.Duration{"self": step, "http:mail": 0}},
		"still going on at the end": {func(_ context.Context, call calls.Call) {
			call.Begin(mail, time.Now())
			pause()
		}, map[string]time.Duration{"self": 0, "http:mail": step}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { spends(t, tc.handler).wantSpent(t, tc.want) })
		})
	}
}

// What outlives its call counts no more.
func TestTimeBehindTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &calls.Component{Name: "rpc:wallet"}
		var late calls.Call
		f := spends(t, func(_ context.Context, call calls.Call) {
			late = call
			call.Begin(c, time.Now())
			time.Sleep(time.Second)
		})
		time.Sleep(time.Second)
		late.End(c, time.Now())
		late.Begin(c, time.Now())
		time.Sleep(time.Second)
		late.End(c, time.Now())
		f.wantSpent(t, map[string]time.Duration{"self": 0, "rpc:wallet": time.Second})
	})
}

// A call waits for a resource, and holds it.
func TestTimeOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *inbound.Resource
		f := pooled(t, &pool) // 10 ms of one of two places
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _ = f.method(t, unary).Serve(nil, newFakeStream(t.Context())) })
		}
		all.Wait()
		f.wantSpent(t, map[string]time.Duration{"self": 0, "queue:pool": 20 * time.Millisecond, "resource:pool": 40 * time.Millisecond})
		f.wantValue(t, "chassis_resource_wait_seconds_total", labels{"kind": "declared", "resource": "pool"}, .02)
	})
}

// A stream waits for its client, in both directions.
func TestTimeOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{stream: func(stream grpc.ServerStream) error {
			time.Sleep(time.Second)
			return stream.RecvMsg(new(message))
		}})
		stream := newFakeStream(t.Context())
		stream.late = 2 * time.Second
		if err := f.method(t, bidiStream).Serve(nil, stream); err != nil {
			t.Fatal(err)
		}
		of := func(component string) labels {
			return labels{"rpc_method": "test.v1.Test/BidiStream", "component": component}
		}
		f.wantValue(t, timeMetric, of("self"), 1)
		f.wantValue(t, timeMetric, of("stream_receive"), 2)
		f.wantValue(t, timeMetric, of("stream_send"), 0)
	})
}
