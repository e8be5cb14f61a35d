package middleware_test

import (
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/middleware"
)

// occupy takes all permits of a limiter. It must be called in a bubble of synctest.
func occupy(t *testing.T, l *admission.Limiter) {
	t.Helper()
	for range l.State().Limit {
		c := &admission.Ticket{Parent: t.Context()}
		l.Arrive(c, time.Now())
		synctest.Wait()
		if !l.Wait(t.Context(), c) {
			t.Fatal("a call may not run in an idle service")
		}
	}
}

// Nobody waits for a place longer than the call may take, whoever says how long that is.
func TestWaitsNoLongerThanItMayTake(t *testing.T) {
	for name, test := range map[string]struct {
		timeout  time.Duration // of the method
		callers  string
		wantCode string
	}{
		"the method's timeout": {200 * time.Millisecond, "", "DEADLINE_EXCEEDED"},
		"the caller's by REST": {0, "0.2", "DEADLINE_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newChain(t, unreachable(t), limited, func(s *setup) { s.Defaults = contract.Defaults{Timeout: test.timeout} })
				occupy(t, f.setup.Admission)
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
				if test.callers != "" {
					r.Header.Set("Request-Timeout", test.callers)
				}
				start := time.Now()
				f.HTTP(takesTimeout(f.restRoutes(middleware.RESTConfig{})), middleware.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
				if took := time.Since(start); took != 200*time.Millisecond {
					t.Errorf("the call ended after %v", took)
				}
				f.wantValue(t, "chassis_admission_queued", nil, 0)
				f.wantValue(t, rejectedMetric, labels{"reason": "deadline"}, 1)
				f.wantValue(t, callsMetric, labels{"rpc_status_code": test.wantCode}, 1)
			})
		})
	}
}

// A call that an injected fault holds up keeps its place, as one does whose handler is slow.
func TestDelayedCallsKeepTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: echo}, limited)
		conn := f.serve(t)
		f.inject(t, `{"method": "*", "delay": "2s"}`)
		var all sync.WaitGroup
		for range f.setup.Admission.State().Limit {
			all.Go(func() {
				if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
					t.Errorf("a call that runs ended with %v", err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(time.Second / 2)
		if err := conn.Invoke(t.Context(), unary, new(message), new(message)); status.Code(err) != codes.Unavailable {
			t.Errorf("a call for which there is no place ended with %v", err)
		}
		all.Wait()
	})
}
