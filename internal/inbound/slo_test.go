package inbound_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

const (
	objectiveMetric = "chassis_slo_objective_ratio"
	sloMetric       = "chassis_slo_requests_total"
	sloBadMetric    = "chassis_slo_bad_requests_total"

	promises = `{"slo": {"availability": 99.9, "latency": {"within": "0.1s", "ratio": 99}}}`
)

// wantSLO expects what has counted for the objectives of unary.
func (f *fixture) wantSLO(t *testing.T, requests, unavailable, answered, slow float64) {
	t.Helper()
	method := unary[1:]
	f.wantValue(t, sloMetric, labels{"rpc_method": method, "slo": "availability"}, requests)
	f.wantValue(t, sloBadMetric, labels{"rpc_method": method, "slo": "availability"}, unavailable)
	f.wantValue(t, sloMetric, labels{"rpc_method": method, "slo": "latency"}, answered)
	f.wantValue(t, sloBadMetric, labels{"rpc_method": method, "slo": "latency"}, slow)
}

func TestObjectivesAreMetrics(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{}, policy(t, promises, unary))
	f.wantValue(t, objectiveMetric, labels{"rpc_method": unary[1:], "slo": "availability"}, 0.999)
	f.wantValue(t, objectiveMetric, labels{"rpc_method": unary[1:], "slo": "latency"}, 0.99)
	f.wantSLO(t, 0, 0, 0, 0)
}

func TestNoObjectivesNoSeries(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo})
	_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
	for _, name := range []string{objectiveMetric, sloMetric, sloBadMetric} {
		families, err := f.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == name {
				t.Errorf("%s has %d series, want none: nothing was promised", name, len(family.GetMetric()))
			}
		}
	}
}

// Each way for a call to end, and what it counts for. A caller's mistake counts for nothing.
func TestWhatCountsForAnObjective(t *testing.T) {
	slow := 150 * time.Millisecond
	for name, tc := range map[string]struct {
		takes                                  time.Duration
		err                                    error
		requests, unavailable, answered, tardy float64
	}{
		"good":                      {requests: 1, answered: 1},
		"just in time":              {takes: 100 * time.Millisecond, requests: 1, answered: 1},
		"slow":                      {takes: slow, requests: 1, answered: 1, tardy: 1},
		"fault":                     {err: status.Error(codes.Unavailable, ""), requests: 1, unavailable: 1},
		"slow fault":                {takes: slow, err: status.Error(codes.Internal, ""), requests: 1, unavailable: 1},
		"plain error":               {err: errors.New("broken"), requests: 1, unavailable: 1},
		"panic":                     {err: errPanic, requests: 1, unavailable: 1},
		"the method's own deadline": {err: context.DeadlineExceeded, requests: 1, unavailable: 1},
		"unimplemented":             {err: status.Error(codes.Unimplemented, ""), requests: 1, unavailable: 1},
		"data loss":                 {err: status.Error(codes.DataLoss, ""), requests: 1, unavailable: 1},
		"invalid argument":          {err: status.Error(codes.InvalidArgument, "")},
		"slow mistake":              {takes: slow, err: status.Error(codes.NotFound, "")},
		"not found":                 {err: status.Error(codes.NotFound, "")},
		"already exists":            {err: status.Error(codes.AlreadyExists, "")},
		"permission denied":         {err: status.Error(codes.PermissionDenied, "")},
		"resource exhausted":        {err: status.Error(codes.ResourceExhausted, "")},
		"failed precondition":       {err: status.Error(codes.FailedPrecondition, "")},
		"aborted":                   {err: status.Error(codes.Aborted, "")},
		"out of range":              {err: status.Error(codes.OutOfRange, "")},
		"unauthenticated":           {err: status.Error(codes.Unauthenticated, "")},
		"cancelled":                 {err: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock is exact
				f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
					time.Sleep(tc.takes)
					if errors.Is(tc.err, errPanic) {
						panic("boom")
					}
					return in, tc.err
				}}, policy(t, promises, unary))
				_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
				f.wantSLO(t, tc.requests, tc.unavailable, tc.answered, tc.tardy)
			})
		})
	}
}

// A caller that does not wait for as long as the contract says proves nothing about the service,
// whatever the handler makes of its going. One that waits that long, or nearly, has its failure
// counted.
func TestHasteCountsForNoObjective(t *testing.T) {
	const contract = `{"timeout": "2s", "slo": {"availability": 99.9, "latency": {"within": "0.5s", "ratio": 99}}}`
	var (
		heeds = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		wraps = func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("canceling statement due to user request")
		}
		breaks = func(ctx context.Context) error { <-ctx.Done(); return status.Error(codes.Unavailable, "no answer") }
		panics = func(ctx context.Context) error { <-ctx.Done(); panic("boom") }
		early  = func(context.Context) error { return status.Error(codes.DeadlineExceeded, "of a query") }
		slow   = func(context.Context) error { time.Sleep(3 * time.Second); return status.Error(codes.Internal, "") }
		late   = func(context.Context) error { time.Sleep(300 * time.Millisecond); return nil }
	)
	for name, tc := range map[string]struct {
		waits           time.Duration // the caller; zero for as long as it takes
		hangsUp         bool          // then, else its deadline is over
		handler         func(context.Context) error
		bad, answered   float64
		tardy, requests float64
	}{
		"short deadline":                           {waits: 4 * time.Millisecond, handler: heeds},
		"short deadline, error of a driver":        {waits: 4 * time.Millisecond, handler: wraps},
		"short deadline, error of another service": {waits: 4 * time.Millisecond, handler: breaks},
		"hangs up":                              {waits: 4 * time.Millisecond, hangsUp: true, handler: heeds},
		"hangs up, error of a driver":           {waits: 4 * time.Millisecond, hangsUp: true, handler: wraps},
		"short deadline, answered all the same": {waits: 4 * time.Millisecond, handler: late, requests: 1, answered: 1},

		"waits longer than is promised":       {waits: time.Second, handler: heeds, answered: 1, tardy: 1},
		"hangs up later than is promised":     {waits: time.Second, hangsUp: true, handler: heeds, answered: 1, tardy: 1},
		"no deadline":                         {handler: heeds, requests: 1, bad: 1},
		"longer deadline":                     {waits: time.Minute, handler: heeds, requests: 1, bad: 1},
		"the contract's, less the way":        {waits: 1990 * time.Millisecond, handler: heeds, requests: 1, bad: 1},
		"fails before the deadline":           {waits: time.Second, handler: early, requests: 1, bad: 1},
		"panics behind a caller that is gone": {waits: 4 * time.Millisecond, handler: panics, requests: 1, bad: 1},
		"runs beyond the contract's deadline": {waits: 4 * time.Millisecond, handler: slow, requests: 1, bad: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock is exact
				f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) { return in, tc.handler(ctx) }},
					policy(t, contract, unary))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch {
				case tc.hangsUp:
					defer time.AfterFunc(tc.waits, cancel).Stop()
				case tc.waits > 0:
					ctx, cancel = context.WithTimeout(ctx, tc.waits)
					defer cancel()
				}
				_ = f.method(t, unary).Serve(nil, newFakeStream(ctx))
				f.wantSLO(t, tc.requests, tc.bad, tc.answered, tc.tardy)
			})
		})
	}
}

// The same by REST, whose callers say in a header how long they wait.
func TestHasteByRESTCountsForNoObjective(t *testing.T) {
	for _, tc := range []struct {
		header, value string
		bad           float64
	}{
		{"Request-Timeout", "0.004", 0}, {"Grpc-Timeout", "4m", 0}, {"Request-Timeout", "60", 1}, {"", "", 1},
	} {
		leakcheck.Check(t)
		f := newChain(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, policy(t, `{"timeout": "2s", "slo": {"availability": 99.9}}`, unary))
		conn := f.Conn(inbound.RESTConfig{Timeout: 100 * time.Millisecond})
		handler := f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if inbound.TakeTimeout(w, r) {
				_ = conn.Invoke(r.Context(), unary, new(message), new(message))
			}
		}), inbound.HTTPLimits{})
		r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context())
		if tc.header != "" {
			r.Header.Set(tc.header, tc.value)
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
		f.wantValue(t, sloBadMetric, labels{"rpc_method": unary[1:], "slo": "availability"}, tc.bad)
		f.wantValue(t, callsMetric, labels{"rpc_method": unary[1:], "rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
	}
}

// A call that is refused before its handler was a caller's mistake, even where its code says
// otherwise.
func TestRefusedCallsCountForNoObjective(t *testing.T) {
	t.Run("spent deadline", func(t *testing.T) {
		leakcheck.Check(t)
		f := newChain(t, unreachable(t), policy(t, promises, unary))
		ctx, cancel := context.WithTimeout(t.Context(), -1)
		defer cancel()
		_ = f.method(t, unary).Serve(nil, newFakeStream(ctx))
		f.wantSLO(t, 0, 0, 0, 0)
	})
	t.Run("malformed", func(t *testing.T) {
		f, conn := start(t, unreachable(t), policy(t, promises, unary))
		err := conn.Invoke(t.Context(), unary, []byte{0xff, 0xff}, new(message), grpc.ForceCodec(rawCodec{}))
		f.rejected(t, err, unary[1:], inbound.ReasonMalformed, codes.Internal, "INTERNAL")
		f.wantSLO(t, 0, 0, 0, 0)
	})
	t.Run("denied", func(t *testing.T) {
		leakcheck.Check(t)
		f := newChain(t, unreachable(t), policy(t, promises, unary))
		f.SetTrustDomain("test")
		_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
		f.wantSLO(t, 0, 0, 0, 0)
	})
}
