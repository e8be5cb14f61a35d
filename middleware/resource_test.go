package middleware_test

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
	"github.com/betmakers/paddock/middleware"
)

// pooled is a chain whose handler holds one of two places of a pool for 10 ms.
func pooled(t *testing.T, pool **middleware.Resource, changes ...func(*setup)) *fixture {
	t.Helper()
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		release, err := (*pool).Acquire(ctx)
		if err != nil {
			return nil, fmt.Errorf("the pool: %w", err)
		}
		defer release()
		time.Sleep(10 * time.Millisecond)
		release() // again does nothing
		return in, ctx.Err()
	}}, changes...)
	var err error
	if *pool, err = f.Resource("pool", 2); err != nil {
		t.Fatal(err)
	}
	return f
}

// offerPooled sends calls at three times what the pool can serve, and returns how many ended with which code.
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
		time.Sleep(time.Second / 600)
	}
	all.Wait()
	return ended
}

// At three times what it can, a declared pool goes on serving what it can. What is refused counts as overload.
func TestOverloadOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *middleware.Resource
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

// A resource refuses no call where admission is off or only reports, or the service leaves.
func TestPatientResource(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"off": func(*setup) {}, "report": newCrowded(true).limits, "leaving": newCrowded(false).limits,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var pool *middleware.Resource
				f := pooled(t, &pool, change)
				if name == "leaving" {
					f.Leave()
				}
				if ended := offerPooled(t, f, 3*time.Second); ended[codes.Unavailable] > 0 {
					t.Errorf("the calls ended with %v", ended)
				}
				f.wantValue(t, rejectedMetric, labels{}, 0)
				if would := f.value(t, auditedMetric, labels{"reason": "overload"}); would > 0 != (name == "report") {
					t.Errorf("%v calls would have been refused", would)
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
		var none *middleware.Resource
		if release, err := none.Acquire(t.Context()); err != nil {
			t.Error(err)
		} else {
			release()
		}
	})
}
