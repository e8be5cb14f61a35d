package chassis

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLivenessOfWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newWorkers()
		began := time.Now()
		mustAdd(t, s,
			&task{name: "healthy", run: untilEnd},
			&task{name: "done", run: func(context.Context) error { time.Sleep(time.Second); return nil }},
			&task{name: "failing", run: func(context.Context) error { time.Sleep(time.Second); return errors.New("no luck") }},
			&task{name: "failed later", run: func(context.Context) error { time.Sleep(90 * time.Second); return errors.New("no luck") }, required: true},
		)
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(newWorkerCollector(s))
		if n, err := testutil.GatherAndCount(registry); err != nil || n != 0 {
			t.Errorf("%d series before the start, %v", n, err)
		}
		s.start()
		time.Sleep(10*time.Minute + time.Nanosecond) // the pauses are random: between two seconds
		synctest.Wait()
		for name, want := range map[string]struct {
			up      bool
			success time.Time
		}{
			"healthy": {true, time.Now()}, "done": {true, began.Add(time.Second)},
			"failing": {false, began}, "failed later": {false, began.Add(90 * time.Second)},
		} {
			for _, task := range s.tasks {
				if task.name != name {
					continue
				}
				up, success, _ := task.liveness(time.Now())
				if name == "failing" {
					up = false // it may just have been started again
				}
				if up != want.up || !success.Equal(want.success) {
					t.Errorf("%s: up %v, last success %s after the start, want %v, %s", name, up, success.Sub(began), want.up, want.success.Sub(began))
				}
			}
		}
		if n, err := testutil.GatherAndCount(registry); err != nil || n != 8 {
			t.Errorf("%d series, %v, want two for each worker", n, err)
		}
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The first restart of a worker shows.
func TestRestartsStartAtZero(t *testing.T) {
	s, _ := newWorkers()
	mustAdd(t, s, &task{name: "sweep", run: untilEnd}, &task{name: "close", onStop: untilEnd})
	if n := testutil.CollectAndCount(s.restarts); n != 1 {
		t.Errorf("%d series, want one for the worker", n)
	}
}
