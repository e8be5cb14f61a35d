package chassis_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// However a service fails, it gets no more than a tenth of its calls in retries, and half of the
// tokens beside for what fails at once. Where it fails seldom, callers hardly notice.
func TestDialRetryBudget(t *testing.T) {
	t.Parallel()
	const calls, spare = 2000, 50
	for name, test := range map[string]struct {
		fails func(n int32) bool
		least float64 // of the calls made, how many succeed
		most  int32   // how many are sent
	}{
		"half":       {func(n int32) bool { return n%2 == 0 }, .45, calls*11/10 + spare},
		"8 per cent": {func(n int32) bool { return n%25 < 2 }, .99, calls*11/10 + spare},
		"all":        {func(int32) bool { return true }, 0, calls + spare}, // nothing earns a token
		"none":       {func(int32) bool { return false }, 1, calls},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: a call that is late, as the machine is busy, is none that failed
			w := &wallet{}
			w.answer = func(_ context.Context, text string) (string, error) {
				if test.fails(w.calls.Load()) {
					return "", status.Error(codes.Unavailable, "as planned")
				}
				return text, nil
			}
			// Without admission, which would refuse calls that a busy machine has no time for.
			quiet := chassistest.Options{Env: env{"CHASSIS_LOG_REQUESTS": "none"}}
			d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), quiet)))
			succeeded := inParallel(calls, func() error {
				_, err := d.call(t.Context(), getMethod, "")
				return err
			})
			sent := w.calls.Load()
			t.Logf("%d made, %d sent (at most %d), %d succeeded", calls, sent, test.most, succeeded)
			if sent > test.most || sent < calls {
				t.Errorf("%d calls were sent for %d, want at most %d", sent, calls, test.most)
			}
			if float64(succeeded) < test.least*calls {
				t.Errorf("%d of %d calls succeeded, want %.0f %%", succeeded, calls, 100*test.least)
			}
		})
	}
}

// inParallel makes n calls, many at once, and returns how many succeeded.
func inParallel(n int, call func() error) int {
	var left, succeeded atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if call() == nil {
					succeeded.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(succeeded.Load())
}

// A call whose answer does not come is sent a second time where the contract asks for it.
func TestDialHedges(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	w := &wallet{answer: func(ctx context.Context, text string) (string, error) {
		if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) == 0 { // the first, whichever arrives first
			close(arrived)
			<-ctx.Done()
			return "", ctx.Err()
		}
		select {
		case <-arrived: // or the first would be given up before it has come
			return text, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}}
	d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{})))
	if got, err := d.call(t.Context(), quoteMethod, "7:2"); got != "7:2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := d.Metric("chassis_rpc_client_hedges_total", "result", "won"); got != 1 || w.calls.Load() != 2 {
		t.Errorf("counted %v after %d calls, want a second one that won", got, w.calls.Load())
	}
	if got := d.Metric(dialMetric); got != 1 {
		t.Errorf("counted %v calls, want 1", got)
	}
}

// A server says by its answer when, and whether, a call is sent again. Without it the second of
// three attempts comes within a tenth of a second.
func TestDialObeysPushBack(t *testing.T) {
	t.Parallel()
	pushBack := func(value string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", value))
			return status.Error(codes.Unavailable, "no")
		}
	}
	retryAfter := func(d time.Duration) func(context.Context) error {
		return func(context.Context) error { return &chassis.Error{Code: codes.Unavailable, RetryAfter: d} }
	}
	for name, test := range map[string]struct {
		fail  func(context.Context) error
		calls int32
		code  codes.Code
	}{
		"nothing is said":        {retryAfter(0), 3, codes.Unavailable},
		"soon":                   {pushBack("1"), 3, codes.Unavailable},
		"never":                  {pushBack("-1"), 1, codes.Unavailable},
		"not in time":            {pushBack("60000"), 1, codes.DeadlineExceeded},
		"soon, by RetryInfo":     {retryAfter(time.Millisecond), 3, codes.Unavailable},
		"too late, by RetryInfo": {retryAfter(time.Minute), 1, codes.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wallet{answer: func(ctx context.Context, _ string) (string, error) { return "", test.fail(ctx) }}
			d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{})))
			if _, err := d.call(t.Context(), getMethod, ""); status.Code(err) != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
			if got := w.calls.Load(); got != test.calls {
				t.Errorf("%d calls arrived, want %d", got, test.calls)
			}
		})
	}
}
