package inbound_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/inbound"
)

// pooled is a chain whose handler holds one of two places of a pool for 10 ms.
func pooled(t *testing.T, pool **inbound.Resource, changes ...func(*setup)) *fixture {
	t.Helper()
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		release, err := (*pool).Acquire(ctx)
		if err != nil {
			return nil, fmt.Errorf("the pool: %w", err)
		}
		defer release()
		time.Sleep(10 * time.Millisecond) // of a bubble
		release()                         // again does nothing
		return in, ctx.Err()
	}}, changes...)
	var err error
	if *pool, err = f.Resource("pool", 2); err != nil {
		t.Fatal(err)
	}
	return f
}

// offerPooled sends calls at three times what the pool can serve, and returns how many ended with
// which code.
func offerPooled(t *testing.T, f *fixture, lasting time.Duration) map[codes.Code]int {
	t.Helper()
	var mu sync.Mutex
	ended := map[codes.Code]int{}
	var all sync.WaitGroup
	for range int(lasting.Seconds() * 600) {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
			defer cancel()
			err := f.method(t, unary).Serve(nil, newFakeStream(ctx))
			mu.Lock()
			defer mu.Unlock()
			ended[status.Code(err)]++
		})
		time.Sleep(time.Second / 600) // of a bubble
	}
	all.Wait()
	return ended
}

// At three times what it can, a declared pool goes on serving what it can. What is refused counts
// as overload.
func TestOverloadOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *inbound.Resource
		f := pooled(t, &pool, newCrowded(false).limits)
		ended := offerPooled(t, f, 10*time.Second)
		if ended[codes.OK] < 1900 { // of 2000
			t.Errorf("the calls ended with %v", ended)
		}
		f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "overload"}, float64(ended[codes.Unavailable]))
		f.wantValue(t, "chassis_resource_limit", labels{"resource": "pool"}, 2)
		f.wantValue(t, "chassis_resource_in_use", labels{"resource": "pool"}, 0)
		f.wantValue(t, "chassis_resource_queued", labels{"resource": "pool"}, 0)
		if waited := f.value(t, "chassis_resource_wait_seconds_total", labels{"resource": "pool"}); waited <= 0 {
			t.Errorf("calls have waited %v s", waited)
		}
	})
}

// Whoever looks learns what was short: operators in log and metrics, callers of the own trust
// domain in the answer. Others learn nothing of the inside.
func TestShortResourceIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *inbound.Resource
		f := pooled(t, &pool, newCrowded(false).limits, policy(t, `{"public": true}`))
		f.SetTrustDomain("test")
		texts := map[string]map[string]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 3000 {
			all.Go(func() {
				peer := []string{"spiffe://test/web", "spiffe://other/web", ""}[i%3]
				ctx, cancel := context.WithTimeout(asPeer(t.Context(), peer), 250*time.Millisecond)
				defer cancel()
				if err := f.method(t, unary).Serve(nil, newFakeStream(ctx)); status.Code(err) == codes.Unavailable {
					mu.Lock()
					defer mu.Unlock()
					if texts[peer] == nil {
						texts[peer] = map[string]int{}
					}
					texts[peer][status.Convert(err).Message()]++
				}
			})
			time.Sleep(time.Second / 600)
		}
		all.Wait()
		const general = "the service has more to do than can be done: try again later"
		for peer, want := range map[string]string{
			"spiffe://test/web": "the resource pool of the service has more to do than can be done: try again later", "spiffe://other/web": general, "": general,
		} {
			if got := texts[peer]; len(got) != 1 || got[want] == 0 {
				t.Errorf("%q is told %v, want %q", peer, got, want)
			}
		}
		refused, late := 0, 0
		for _, line := range f.lines.records(t) {
			explain, _ := line["explain"].(string)
			switch line["code"] {
			case "UNAVAILABLE":
				refused++
				if explain != "more calls than the resource pool can serve, which has a limit of 2" {
					t.Fatalf("the line is %v", line)
				}
			case "DEADLINE_EXCEEDED": // or while it used the pool
				if explain == "its time ended while it waited for the resource pool" {
					late++
				}
			}
		}
		if refused == 0 || late == 0 {
			t.Errorf("%d calls were refused, and %d waited too long: want some of both", refused, late)
		}
		f.wantValue(t, "chassis_resource_rejected_total", labels{"resource": "pool"}, float64(refused))
	})
}

// What is in use, and what waits, can be asked for.
func TestLoadOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{})
		pool, err := f.Resource("pool", 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if release, err := pool.Acquire(ctx); err == nil {
					<-ctx.Done()
					release()
				}
			})
			synctest.Wait()
		}
		if limit, inUse, waiting := pool.Load(); limit != 1 || inUse != 1 || waiting != 2 {
			t.Errorf("Load() = %d, %d, %d", limit, inUse, waiting)
		}
		cancel()
		all.Wait()
		if _, inUse, waiting := pool.Load(); inUse != 0 || waiting != 0 {
			t.Errorf("Load() at the end: %d in use, %d waiting", inUse, waiting)
		}
	})
}

// A resource refuses no call where admission is off or only reports, or the service leaves.
func TestPatientResource(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"off": func(*setup) {}, "report": newCrowded(true).limits, "leaving": newCrowded(false).limits,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var pool *inbound.Resource
				f := pooled(t, &pool, change)
				if name == "leaving" {
					f.Leave()
				}
				if ended := offerPooled(t, f, 3*time.Second); ended[codes.Unavailable] > 0 {
					t.Errorf("the calls ended with %v", ended)
				}
				f.wantValue(t, rejectedMetric, labels{}, 0)
				would := f.value(t, auditedMetric, labels{"reason": "overload"})
				if would > 0 != (name == "report") {
					t.Errorf("%v calls would have been refused", would)
				}
				told := 0
				for _, line := range f.lines.records(t) {
					if line["would_refuse"] == "overload of the resource pool" {
						told++
					}
				}
				if told != int(would) || f.log.String() != "" {
					t.Errorf("%d lines tell of %v calls, and beside them %s", told, would, f.log)
				}
			})
		})
	}
}

// What waits outside of a call waits as long as its context, and what makes no sense is an error.
func TestAcquireOutsideOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{}, func(s *setup) { s.Admission = admission.New() })
		pool, err := f.Resource("pool", 1)
		if err != nil {
			t.Fatal(err)
		}
		release, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := pool.Acquire(ctx); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a second place of one is given: %v", err)
		}
		release()
		if again, err := pool.Acquire(t.Context()); err != nil {
			t.Errorf("a place that came back is not given: %v", err)
		} else {
			again()
		}
		for _, bad := range []struct {
			name  string
			limit int
		}{{"pool", 1}, {"", 1}, {"other", 0}} {
			if _, err := f.Resource(bad.name, bad.limit); err == nil {
				t.Errorf("resource %q with a limit of %d is no error", bad.name, bad.limit)
			}
		}
		var none *inbound.Resource
		if release, err := none.Acquire(t.Context()); err != nil {
			t.Error(err)
		} else {
			release()
		}
	})
}
