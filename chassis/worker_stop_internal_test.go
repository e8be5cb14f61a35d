package chassis

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The time that hanging tasks may take is bounded, so that those behind them have a live context
// and time of their own.
func TestTasksThatHangLeaveTheOthersTheirShare(t *testing.T) {
	for name, test := range map[string]struct {
		time  time.Duration
		least time.Duration // that the last one has
	}{
		"much time":   {17 * time.Second, leastShare * 9 / 10},
		"little time": {time.Second, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newWorkers()
				release, left := make(chan struct{}), time.Duration(0)
				deaf := func(context.Context) error { <-release; return nil }
				mustAdd(t, s,
					&task{name: "flush", onStop: func(ctx context.Context) error {
						at, _ := ctx.Deadline()
						left = time.Until(at)
						return ctx.Err()
					}},
					&task{name: "deaf worker", run: deaf},
					&task{name: "deaf function", onStop: deaf},
					&task{name: "quick", run: untilEnd},
				)
				s.start()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), test.time)
				defer cancel()
				err := s.stop(ctx)
				if err == nil || strings.Contains(err.Error(), "flush") || strings.Contains(err.Error(), "quick") ||
					!strings.Contains(err.Error(), "worker deaf worker did not return in time") || !strings.Contains(err.Error(), "deaf function did not return in time") {
					t.Errorf("got %v, want the two that hang, named", err)
				}
				if left < test.least {
					t.Errorf("the last function had %s left, want at least %s", left, test.least)
				}
				close(release)
			})
		})
	}
}

// One task may take nearly all of the time if the others do not need it.
func TestTaskMayTakeWhatTheOthersDoNotNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		var ended []string
		mustAdd(t, s,
			&task{name: "database", onStop: func(context.Context) error { ended = append(ended, "database"); return nil }},
			&task{name: "batch", run: func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(15 * time.Second)
				ended = append(ended, "batch")
				return nil
			}},
		)
		s.start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 17*time.Second)
		defer cancel()
		if err := s.stop(ctx); err != nil || !slices.Equal(ended, []string{"batch", "database"}) {
			t.Errorf("got %v and the order %q, want both, the newest first", err, ended)
		}
	})
}

// A task that takes longer than its share, and ends before the time is up, is not blamed.
func TestTaskThatEndsLateIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		late := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(600 * time.Millisecond)
			return nil
		}
		mustAdd(t, s, &task{name: "first", run: untilEnd}, &task{name: "second", run: untilEnd}, &task{name: "late", run: late})
		s.start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a third for each
		defer cancel()
		if err := s.stop(ctx); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	})
}

// A stop function that goes by its context comes back in time, with its own error.
func TestStopFunctionThatEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		mustAdd(t, s, &task{name: "flush", onStop: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.stop(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "did not return") {
			t.Errorf("got %v, want what the function returned", err)
		}
	})
}

func TestWorkerThatEndsItsGoroutineHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newWorkers()
		mustAdd(t, s, &task{name: "sweep", run: func(context.Context) error { runtime.Goexit(); return nil }})
		s.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.snapshot()[0]; got.State != "restarting" || got.Restarts == 0 || !strings.Contains(got.LastError, "runtime.Goexit") {
			t.Errorf("got %+v, want restarts and their cause", got)
		}
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "runtime.Goexit") {
			t.Error("the failure is not logged")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		mustAdd(t, s, &task{name: "feed", required: true, run: func(context.Context) error { runtime.Goexit(); return nil }})
		s.start()
		if err := <-s.failed; !errors.Is(err, errGoexit) || s.snapshot()[0].State != "failed" {
			t.Errorf("got %v and %+v, want the failure", err, s.snapshot()[0])
		}
		_ = s.stop(t.Context())
	})
}

func TestStopFunctionThatEndsItsGoroutineHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		begun := time.Now()
		mustAdd(t, s, &task{name: "flush", onStop: func(context.Context) error { runtime.Goexit(); return nil }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.stop(ctx); !errors.Is(err, errGoexit) || time.Since(begun) != 0 {
			t.Errorf("got %v after %s, want the failure at once", err, time.Since(begun))
		}
	})
}
