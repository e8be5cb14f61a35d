package health_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/catalog"
)

// A degraded check is shown, logged once and measured, and takes no readiness: also not where it
// failed before.
func TestDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("no connection")
		var result atomic.Value // of func() error
		result.Store(func() error { return nil })
		out := new(lines)
		registry := prometheus.NewRegistry()
		m := newMonitor(t, health.Config{Registerer: registry, Logger: slog.New(slog.NewTextHandler(out, nil))})
		add(t, m, health.Check{Name: "db", FailAfter: 1, Interval: time.Second, Probe: func(context.Context) error { return result.Load().(func() error)() }})
		started(t, m)
		for _, step := range []struct {
			name            string
			result          error
			ready, degraded bool
			says, logs      string
		}{
			{"degraded", health.Degraded(lost), true, true, "[+]db degraded since", "health check is degraded"},
			{"still", health.Degraded(lost), true, true, ": reason withheld", ""},
			{"well again", nil, true, false, "[+]db ok since", "health check is no longer degraded"},
			{"failing", lost, false, false, "[-]db failing since", "health check fails"},
			{"degraded after failing", health.Degraded(lost), true, true, "[+]db degraded since", "health check is degraded"},
			{"failing after degraded", lost, false, false, "failures in a row: ", "health check fails"},
			{"passing", nil, true, false, "[+]db ok since", "health check passes again"},
		} {
			before, about := out.count("health check"), out.count(step.logs)
			result.Store(func() error { return step.result })
			time.Sleep(2 * time.Second)
			synctest.Wait()
			status := m.Status().Checks[0]
			if m.Ready() != step.ready || status.Degraded != step.degraded {
				t.Errorf("%s: ready %v, status %+v", step.name, m.Ready(), status)
			}
			if body := get(m.Readyz(), http.MethodGet, "/readyz?verbose").Body.String(); !strings.Contains(body, step.says) {
				t.Errorf("%s: no %q in %q", step.name, step.says, body)
			}
			logged, wanted := out.count("health check")-before, 1
			if step.logs == "" {
				wanted = 0
			}
			if logged != wanted || wanted > 0 && out.count(step.logs)-about != 1 {
				t.Errorf("%s: logged %d lines, %d of them %q", step.name, logged, out.count(step.logs)-about, step.logs)
			}
			want := 0.0
			if step.degraded {
				want = 1
			}
			if got := gauge(t, registry, catalog.HealthCheckDegraded.Name); got != want {
				t.Errorf("%s: the metric is %v, want %v", step.name, got, want)
			}
		}
		if !errors.Is(health.Degraded(lost), lost) {
			t.Error("the cause is lost")
		}
	})
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no %s among %d metrics", name, testutil.CollectAndCount(registry))
	return 0
}
