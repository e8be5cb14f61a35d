package chassis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/catalog"
)

// newWorkers returns a supervisor and what it logs.
func newWorkers() (*supervisor, *strings.Builder) {
	var log strings.Builder
	return newSupervisor(slog.New(slog.NewTextHandler(&log, nil)), catalog.WorkerRestarts.CounterVec(), catalog.Panics.CounterVec()), &log
}

func mustAdd(t *testing.T, s *supervisor, tasks ...*task) {
	t.Helper()
	for _, task := range tasks {
		if err := s.add(task); err != nil {
			t.Fatal(err)
		}
	}
}

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestFailedWorkerIsRestartedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newWorkers()
		var begun []time.Time
		mustAdd(t, s, &task{name: "sweep", run: func(context.Context) error {
			begun = append(begun, time.Now())
			if len(begun)%2 == 0 {
				panic("boom")
			}
			return errors.New("no luck")
		}})
		s.start()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if err := s.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := firstPause
		for n := 1; n < len(begun); n++ {
			pause := begun[n].Sub(begun[n-1])
			if pause < want*8/10 || pause > want*12/10 {
				t.Errorf("pause %d is %s, want %s give or take a fifth", n, pause, want)
			}
			want = min(2*want, longestPause)
		}
		if len(begun) < 12 {
			t.Errorf("got %d runs, want one about every 30 s in the end", len(begun))
		}
		if got := testutil.ToFloat64(s.restarts.WithLabelValues("sweep")); got != float64(len(begun)-1) {
			t.Errorf("counted %v restarts of %d runs", got, len(begun))
		}
		if got := testutil.ToFloat64(s.panics.WithLabelValues("worker")); got != float64(len(begun)/2) {
			t.Errorf("counted %v panics of %d runs", got, len(begun))
		}
		for _, part := range []string{"worker panicked", "worker_internal_test.go", `error="panic: boom"`, `error="no luck"`, "worker=sweep"} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("no %q in the log", part)
			}
		}
	})
}

func TestPausesAreShortAgainAfterACalmMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		var begun, failed []time.Time
		mustAdd(t, s, &task{name: "sweep", run: func(ctx context.Context) error {
			begun = append(begun, time.Now())
			if len(begun) > 10 { // the pause is at its longest
				sleep(ctx, calmAfter+time.Second)
			}
			failed = append(failed, time.Now())
			return errors.New("no luck")
		}})
		s.start()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		_ = s.stop(t.Context())
		if pause := begun[11].Sub(failed[10]); pause > firstPause*12/10 {
			t.Errorf("got a pause of %s after a calm run, want about %s", pause, firstPause)
		}
	})
}

func TestWorkerThatReturnsNilIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		runs := 0
		mustAdd(t, s, &task{name: "once", run: func(context.Context) error { runs++; return nil }})
		s.start()
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := s.stop(t.Context()); err != nil || runs != 1 {
			t.Errorf("got %d runs, %v; want one", runs, err)
		}
		if got := s.snapshot(); len(got) != 1 || got[0].State != "stopped" || got[0].Restarts != 0 {
			t.Errorf("got %+v, want it stopped", got)
		}
	})
}

func TestStopEndsThePauseBeforeARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		mustAdd(t, s, &task{name: "sweep", run: func(context.Context) error { return errors.New("no luck") }})
		s.start()
		time.Sleep(5 * time.Minute)
		begun := time.Now()
		if err := s.stop(t.Context()); err != nil || time.Since(begun) != 0 {
			t.Errorf("got %v after %s, want an end at once", err, time.Since(begun))
		}
	})
}

func TestFailureThatStopsTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		boom := errors.New("boom")
		mustAdd(t, s,
			&task{name: "first", required: true, run: func(context.Context) error { return boom }},
			&task{name: "second", required: true, run: func(context.Context) error { time.Sleep(time.Second); panic("too late") }},
		)
		s.start()
		if err := <-s.failed; !errors.Is(err, boom) || !strings.Contains(err.Error(), "worker first") {
			t.Errorf("got %v, want the first worker's, named", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait() // the second failure blocks nobody
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTasksEndInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		var mu sync.Mutex
		var ended []string
		end := func(name string) {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
		}
		worker := func(name string) *task {
			return &task{name: name, run: func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // the next must wait for it
				end(name)
				return nil
			}}
		}
		mustAdd(t, s, worker("a"), &task{name: "b", onStop: func(context.Context) error { end("b"); return nil }}, worker("c"))
		s.start()
		synctest.Wait()
		if err := s.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"c", "b", "a"}; !slices.Equal(ended, want) {
			t.Errorf("got %q, want %q", ended, want)
		}
	})
}

func TestTasksThatDoNotEndAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		release := make(chan struct{})
		mustAdd(t, s,
			&task{name: "good", run: untilEnd},
			&task{name: "deaf", run: func(context.Context) error { <-release; return nil }},
			&task{name: "close", onStop: func(context.Context) error { <-release; return nil }},
			&task{name: "panics", onStop: func(context.Context) error { panic("boom") }},
		)
		s.start()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.stop(ctx)
		if err == nil {
			t.Fatal("no error")
		}
		for _, part := range []string{"worker deaf did not return in time", "stop function close did not return in time", "stop function panics: panic: boom"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("no %q in %v", part, err)
			}
		}
		if strings.Contains(err.Error(), "good") {
			t.Errorf("the one that ended is named too: %v", err)
		}
		close(release)
	})
}

func TestOnlyStopFunctionsRunWhereWorkersNeverStarted(t *testing.T) {
	s, _ := newWorkers()
	ran := false
	mustAdd(t, s,
		&task{name: "worker", run: func(context.Context) error { t.Error("it ran"); return nil }},
		&task{name: "close", onStop: func(context.Context) error { ran = true; return nil }},
	)
	if err := s.stop(t.Context()); err != nil || !ran {
		t.Errorf("got %v, ran %t; want the stop function to run", err, ran)
	}
	mustAdd(t, s, &task{name: "late", run: func(context.Context) error { t.Error("it ran"); return nil }})
}
