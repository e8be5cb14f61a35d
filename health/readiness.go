package health

import (
	"strings"
	"time"
)

// take records a result of check c, and notifies watchers, log and metrics of changes.
func (m *Monitor) take(c Check, res result) {
	if res.stack != "" {
		m.metrics.panicked()
		m.log.Error("health probe panicked", "check", c.Name, "reason", res.reason, "stack", res.stack)
	}
	m.mu.Lock()
	rec := m.records[c.Name]
	was, wasDegraded := rec.State, rec.Degraded
	flipped := rec.apply(res, c.FailAfter, c.PassAfter, time.Now())
	rec.Degraded = res.degraded && rec.State == Passing
	now := rec.CheckStatus
	m.metrics.set(now)
	v := m.settle()
	m.mu.Unlock()

	switch {
	case now.Degraded && !wasDegraded:
		m.log.Warn("health check is degraded", "check", now.Name, "soft", now.Soft, "reason", now.LastError)
	case flipped:
		m.logFlip(was, now)
	case wasDegraded && !now.Degraded && now.Failures == 0:
		m.log.Info("health check is no longer degraded", "check", now.Name, "soft", now.Soft)
	}
	m.logReadiness(v)
}

// verdict is the readiness, and whether it has changed.
type verdict struct {
	changed, ready, serving bool
	failing                 []string
}

// settle computes readiness and notifies the gRPC watchers. The caller holds m.mu, or is New.
func (m *Monitor) settle() verdict {
	v := verdict{serving: m.serving}
	for _, r := range m.runners {
		if rec := m.records[r.check.Name]; !rec.Soft && rec.State != Passing {
			v.failing = append(v.failing, rec.Name)
		}
	}
	v.ready = v.serving && len(v.failing) == 0
	v.changed = m.ready.Swap(v.ready) != v.ready
	for _, s := range m.services {
		m.server.SetServingStatus(s, servingStatus(v.ready))
	}
	return v
}

func (m *Monitor) logFlip(was State, now CheckStatus) {
	switch {
	case now.State == Failing:
		m.log.Warn("health check fails", "check", now.Name, "soft", now.Soft, "failures", now.Failures, "reason", now.LastError)
	case was == Failing:
		m.log.Info("health check passes again", "check", now.Name, "soft", now.Soft)
	default:
		m.log.Debug("health check passes", "check", now.Name, "soft", now.Soft)
	}
}

func (m *Monitor) logReadiness(v verdict) {
	switch {
	case !v.changed:
	case v.ready:
		m.log.Info("ready")
	case !v.serving:
		m.log.Info("not ready", "reason", "switched off")
	default:
		m.log.Warn("not ready", "reason", "failing checks: "+strings.Join(v.failing, ", "))
	}
}
