package balance_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/internal/balance"
)

// A replica that becomes twenty times slower loses most of its calls within seconds. It keeps as
// many as would have made it warm, and few once those are used up. It has its share back by itself.
func TestSlowReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		const every = 10 * time.Millisecond
		before := f.load(10*time.Second, every, charge)
		f.replicas[1].answers(after(100 * time.Millisecond))
		first := f.load(10*time.Second, every, charge)
		cold := f.load(2*time.Minute, every, charge)
		then := f.load(30*time.Second, every, charge)
		f.replicas[1].answers(after(5 * time.Millisecond))
		f.load(45*time.Second, every, charge)
		again := f.load(10*time.Second, every, charge)
		t.Logf("before            %v", before)
		t.Logf("first ten seconds %v", first)
		t.Logf("two minutes       %v", cold)
		t.Logf("half a minute     %v", then)
		t.Logf("fast again        %v", again)
		for i := range f.replicas {
			if before.shares[i] < .3 || again.shares[i] < .3 {
				t.Errorf("replica %d had shares of %.2f and %.2f while all were fast, want a third", i, before.shares[i], again.shares[i])
			}
		}
		if first.shares[1] > .12 || cold.shares[1] > .06 {
			t.Errorf("the slow replica had shares of %.4f and %.4f, want what is left for one that may be cold", first.shares[1], cold.shares[1])
		}
		if then.shares[1] > .01 || then.shares[1] == 0 {
			t.Errorf("the slow replica had a share of %.4f, want few calls but some", then.shares[1])
		}
		if then.p99 > 2*before.p99 {
			t.Errorf("the p99 is %v beside a slow replica, and was %v", then.p99, before.p99)
		}
		if got := f.value("chassis_rpc_client_ejections_total", map[string]string{"reason": "latency", "server_address": "test"}); got != 1 {
			t.Errorf("counted %v ejections, want 1", got)
		}
	})
}

// Of many calls, too, few go to a replica that is out and had enough to warm up.
func TestTrickle(t *testing.T) {
	if race.Detector {
		t.Skip("takes most of a minute with the race detector, and make test runs it without; TestSlowReplica does alike with it")
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		f.replicas[0].answers(after(100 * time.Millisecond))
		f.load(2*time.Minute, 4*time.Millisecond, charge)
		if got := f.load(time.Minute, 4*time.Millisecond, charge); got.shares[0] == 0 || got.shares[0] > .006 {
			t.Errorf("got %v, want at most one in two hundred calls at the first", got)
		}
	})
}

// A replica that does well again is back soon: what comes late from before does not count, and what
// was long ago neither.
func TestComesBackSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		var wg sync.WaitGroup
		defer wg.Wait()
		out := func() float64 { return f.value("chassis_rpc_client_ejected", nil) }
		ill := func() {
			f.replicas[0].answers(after(4 * time.Second))
			for out() == 0 {
				wg.Go(func() { _ = f.call(charge) }) // and not wait for it
				time.Sleep(20 * time.Millisecond)
			}
		}
		recovers := func() time.Duration {
			f.replicas[0].answers(after(5 * time.Millisecond))
			begun := time.Now()
			for out() > 0 {
				f.load(100*time.Millisecond, 20*time.Millisecond, charge)
			}
			return time.Since(begun)
		}
		ill()
		if got := recovers(); got > 12*time.Second {
			t.Errorf("it took %s after the first time", got)
		}
		ill()
		f.load(time.Minute, 20*time.Millisecond, charge)
		recovers()
		f.load(time.Minute, 50*time.Millisecond, charge)
		ill()
		if got := recovers(); got > 12*time.Second {
			t.Errorf("it took %s after a long time without trouble", got)
		}
	})
}

func TestFailingReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		f.replicas[2].answers(func(n int64) error {
			if n%2 == 0 {
				return status.Error(codes.Internal, "no")
			}
			return nil
		})
		first := f.load(10*time.Second, 10*time.Millisecond, charge)
		then := f.load(30*time.Second, 10*time.Millisecond, charge)
		t.Logf("first ten seconds %v", first)
		t.Logf("half a minute     %v", then)
		if first.failed == 0 || then.failed*100 > then.calls {
			t.Errorf("%d of %d calls failed, then %d of %d, want some and next to none", first.failed, first.calls, then.failed, then.calls)
		}
		if out := f.value("chassis_rpc_client_ejected", nil); out != 1 {
			t.Errorf("%v replicas are out, want 1", out)
		}
		f.replicas[2].answers(after(5 * time.Millisecond))
		f.load(45*time.Second, 10*time.Millisecond, charge)
		if out := f.value("chassis_rpc_client_ejected", nil); out != 0 {
			t.Errorf("%v replicas are out, want none", out)
		}
	})
}

// What all replicas do is none's fault, and there is always one left to call.
func TestWhoIsNoOutlier(t *testing.T) {
	fail := func(int64) error { return status.Error(codes.Unavailable, "no") }
	theirs := func(int64) error { return status.Error(codes.NotFound, "no") }
	gone := func(int64) error { return status.Error(codes.Canceled, "no") }
	for name, test := range map[string]struct {
		answers []func(int64) error
		out     float64
	}{
		"all fail":                    {[]func(int64) error{fail, fail, fail}, 0},
		"all are slow":                {[]func(int64) error{after(time.Second), after(time.Second), after(time.Second)}, 0},
		"most fail":                   {[]func(int64) error{fail, fail, after(time.Millisecond), fail}, 0},
		"one of three fails":          {[]func(int64) error{fail, after(time.Millisecond), after(time.Millisecond)}, 1},
		"two of three fail":           {[]func(int64) error{fail, after(time.Millisecond), fail}, 2},
		"two of three are slow":       {[]func(int64) error{after(time.Second), after(time.Millisecond), after(time.Second)}, 2},
		"one of two fails":            {[]func(int64) error{fail, after(time.Millisecond)}, 1},
		"the only one fails":          {[]func(int64) error{fail}, 0},
		"the callers are wrong":       {[]func(int64) error{theirs, after(time.Millisecond), after(time.Millisecond)}, 0},
		"one has too much to do":      {[]func(int64) error{func(int64) error { return errOverload }, after(time.Millisecond), after(time.Millisecond)}, 0},
		"the calls are cancelled":     {[]func(int64) error{gone, after(time.Millisecond), after(time.Millisecond)}, 0},
		"one is a little slower":      {[]func(int64) error{after(20 * time.Millisecond), after(5 * time.Millisecond), after(5 * time.Millisecond)}, 0},
		"one is further away":         {[]func(int64) error{after(9 * time.Millisecond), after(time.Millisecond), after(time.Millisecond)}, 0},
		"one has few very long calls": {[]func(int64) error{seldom(time.Second), after(5 * time.Millisecond), after(5 * time.Millisecond)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, len(test.answers))
				defer f.close()
				for i, answer := range test.answers {
					f.replicas[i].answers(answer)
				}
				f.load(7*time.Second, 10*time.Millisecond, charge)
				if out := f.value("chassis_rpc_client_ejected", nil); out != test.out {
					t.Errorf("%v replicas are out, want %v: %q", out, test.out, f.lines.text)
				}
			})
		})
	}
}

// seldom answers one in ten calls late.
func seldom(d time.Duration) func(int64) error {
	return func(n int64) error {
		time.Sleep(5 * time.Millisecond) // of a bubble
		if n%10 == 0 {
			time.Sleep(d) // of a bubble
		}
		return nil
	}
}

// A replica that answers nothing at all is noticed before the first of its calls has run out of
// time.
func TestHangingReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		f.load(5*time.Second, 10*time.Millisecond, charge)
		hang := make(chan struct{})
		f.replicas[0].answers(func(int64) error { <-hang; return nil })
		before := f.replicas[0].calls.Load()
		ctx, cancel := context.WithCancel(t.Context())
		for range 1000 {
			go func() { _ = f.conn.Invoke(ctx, charge, new(emptypb.Empty), new(emptypb.Empty)) }()
			time.Sleep(5 * time.Millisecond)
		}
		if got := f.replicas[0].calls.Load() - before; got > 250 || f.value("chassis_rpc_client_ejected", nil) != 1 {
			t.Errorf("the replica had %d of 1000 calls, want those of its first seconds; %q", got, f.lines.text)
		}
		before = f.replicas[0].calls.Load()
		for range 3000 {
			go func() { _ = f.conn.Invoke(ctx, charge, new(emptypb.Empty), new(emptypb.Empty)) }()
			time.Sleep(10 * time.Millisecond)
		}
		if got := f.replicas[0].calls.Load() - before; got == 0 || got > 4 {
			t.Errorf("the replica had %d more calls in half a minute, want one in ten seconds, as none came back", got)
		}
		cancel()
		close(hang)
	})
}

// Where calls are rare it takes longer to judge, and to find out that a replica does well again.
func TestRareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		defer f.close()
		f.replicas[0].answers(func(int64) error { return status.Error(codes.Unavailable, "no") })
		f.load(time.Minute, time.Second, charge)
		if out := f.value("chassis_rpc_client_ejected", nil); out != 1 {
			t.Errorf("%v replicas are out after a minute, want 1", out)
		}
		f.replicas[0].answers(after(5 * time.Millisecond))
		f.load(2*time.Minute, time.Second, charge)
		if out := f.value("chassis_rpc_client_ejected", nil); out != 0 {
			t.Errorf("%v replicas are out, want none", out)
		}
	})
}

// A replica that is out is better than none.
func TestOthersAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		f.replicas[0].answers(after(200 * time.Millisecond))
		f.load(10*time.Second, 10*time.Millisecond, charge)
		f.replicas[1].server.Stop()
		f.replicas[2].server.Stop()
		synctest.Wait()
		if got := f.load(3*time.Second, 10*time.Millisecond, charge); got.failed > 0 || got.shares[0] != 1 {
			t.Errorf("got %v, want all calls served by the first", got)
		}
	})
}

// Endpoints come and go, and what was known of one that left is forgotten.
func TestEndpointsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		f.replicas[0].answers(after(200 * time.Millisecond))
		f.load(10*time.Second, 10*time.Millisecond, charge)
		two := resolver.State{Endpoints: []resolver.Endpoint{
			{Addresses: []resolver.Address{{Addr: "replica-1"}}}, {Addresses: []resolver.Address{{Addr: "replica-2"}}}, {},
		}}
		f.resolver.UpdateState(two)
		synctest.Wait()
		if out := f.value("chassis_rpc_client_ejected", nil); out != 0 {
			t.Errorf("%v replicas are out that are not there", out)
		}
		if got := f.load(time.Second, 10*time.Millisecond, charge); got.shares[0] != 0 || got.failed > 0 {
			t.Errorf("got %v, want no calls to the first", got)
		}
	})
}

// A resolver that names a replica twice makes no second one of it.
func TestEndpointsNamedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		defer f.close()
		endpoint := func(addresses ...string) (e resolver.Endpoint) {
			for _, a := range addresses {
				e.Addresses = append(e.Addresses, resolver.Address{Addr: a})
			}
			return e
		}
		for _, endpoints := range [][]resolver.Endpoint{
			{endpoint("replica-0", "replica-1"), endpoint("replica-2"), endpoint("replica-2")},
			{endpoint("replica-0"), endpoint("replica-1"), endpoint("replica-2"), endpoint("replica-2")},
		} {
			f.resolver.UpdateState(resolver.State{Endpoints: endpoints})
			synctest.Wait()
		}
		f.replicas[0].answers(func(int64) error { return status.Error(codes.Internal, "no") })
		f.load(4*time.Second, 10*time.Millisecond, charge)
		if out := f.value("chassis_rpc_client_ejected", nil); out != 1 {
			t.Errorf("%v replicas are out, want the one that fails", out)
		}
		f.replicas[0].answers(after(5 * time.Millisecond))
		f.load(20*time.Second, 10*time.Millisecond, charge)
		f.replicas[2].answers(func(int64) error { return status.Error(codes.Internal, "no") })
		f.load(4*time.Second, 10*time.Millisecond, charge)
		if out := f.value("chassis_rpc_client_ejected", nil); out != 1 {
			t.Errorf("%v replicas are out, want the one that is named twice, once", out)
		}
	})
}

// Each attempt counts, and the repeated ones by what they repeat.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		defer f.close()
		f.replicas[0].answers(func(n int64) error {
			if n%3 != 0 {
				return status.Error(codes.Unavailable, "twice")
			}
			return nil
		})
		for range 10 {
			if err := f.call(get); err != nil {
				t.Fatal(err)
			}
		}
		_ = f.call(charge)
		_ = f.call("/test.v1.Test/Another")
		_ = f.call("/test.v1.Test/Third")
		for _, test := range []struct {
			metric string
			labels map[string]string
			want   float64
		}{
			{"chassis_rpc_client_attempts_total", map[string]string{"rpc_method": get[1:], "rpc_status_code": "UNAVAILABLE"}, 20},
			{"chassis_rpc_client_attempts_total", map[string]string{"rpc_method": get[1:], "rpc_status_code": "OK"}, 10},
			{"chassis_rpc_client_attempts_total", map[string]string{"rpc_method": charge[1:]}, 1},
			{"chassis_rpc_client_attempts_total", map[string]string{"rpc_method": "_OTHER"}, 2},
			{"chassis_rpc_client_attempts_total", map[string]string{"server_address": "test"}, 33},
			{"chassis_rpc_client_retries_total", map[string]string{"rpc_method": get[1:], "reason": "UNAVAILABLE"}, 20},
			{"chassis_rpc_client_retries_total", nil, 20},
		} {
			if got := f.value(test.metric, test.labels); got != test.want {
				t.Errorf("%s is %v for %v, want %v", test.metric, got, test.labels, test.want)
			}
		}
	})
}

// Two services in one process, or two peers of one service, do not count for each other.
func TestPeersAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newFleet(t, 1), newFleet(t, 1)
		defer other.close()
		defer one.close()
		for range 3 {
			_ = one.call(charge)
		}
		if a, b := one.value("chassis_rpc_client_attempts_total", nil), other.value("chassis_rpc_client_attempts_total", nil); a != 3 || b != 0 {
			t.Errorf("counted %v and %v attempts, want 3 and 0", a, b)
		}
	})
	registry := prometheus.NewPedanticRegistry()
	for _, name := range []string{"bank", "wallet"} {
		if _, err := balance.NewPeer(balance.Options{Peer: name, Registerer: registry}); err != nil {
			t.Error(err)
		}
	}
	taken := prometheus.NewPedanticRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "chassis_rpc_client_ejected"}))
	if _, err := balance.NewPeer(balance.Options{Registerer: taken}); err == nil {
		t.Error("a metric of the same name is no error")
	}
}
