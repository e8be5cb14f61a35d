package health

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	grpchealth "google.golang.org/grpc/health"
)

// readiness knows the state of every check, and whether the service is ready. Its methods may be
// called concurrently.
type readiness struct {
	log     *slog.Logger
	metrics *metrics
	server  *grpchealth.Server
	ready   atomic.Bool

	mu       sync.Mutex // guards what follows and keeps server and ready in step with it
	serving  bool
	records  []*record // in the order in which the checks were added
	services []string
}

func newReadiness(log *slog.Logger, m *metrics) *readiness {
	r := &readiness{log: log, metrics: m, server: grpchealth.NewServer(), services: []string{""}}
	r.settle()
	return r
}

// add adds a check without a result. It reports false if the name is taken.
func (r *readiness) add(c Check) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.record(c.Name) != nil {
		return false
	}
	r.records = append(r.records, &record{CheckStatus: CheckStatus{Name: c.Name, State: Pending, Soft: c.Soft, Since: time.Now()}})
	r.settle()
	return true
}

// record returns the record of a check, nil if there is none. The caller holds r.mu.
func (r *readiness) record(name string) *record {
	for _, rec := range r.records {
		if rec.Name == name {
			return rec
		}
	}
	return nil
}

// serve turns the switch on or off.
func (r *readiness) serve(on bool) {
	r.mu.Lock()
	r.serving = on
	v := r.settle()
	r.mu.Unlock()
	r.logReadiness(v)
}

// answerFor makes grpc.health.v1 answer for a gRPC service.
func (r *readiness) answerFor(service string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.services, service) {
		r.services = append(r.services, service)
		r.settle()
	}
}

func (r *readiness) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Ready: r.ready.Load(), Serving: r.serving}
	for _, rec := range r.records {
		s.Checks = append(s.Checks, rec.CheckStatus)
	}
	return s
}

// take records a result of check c, and notifies watchers, log and metrics of changes.
func (r *readiness) take(c Check, res result) {
	if res.stack != "" {
		r.metrics.panicked()
		r.log.Error("health probe panicked", "check", c.Name, "reason", res.reason, "stack", res.stack)
	}
	r.mu.Lock()
	rec := r.record(c.Name)
	was, wasDegraded := rec.State, rec.Degraded
	flipped := rec.apply(res, c.FailAfter, c.PassAfter, time.Now())
	rec.Degraded = res.degraded && rec.State == Passing
	now := rec.CheckStatus
	r.metrics.set(now)
	v := r.settle()
	r.mu.Unlock()

	switch {
	case now.Degraded && !wasDegraded:
		r.log.Warn("health check is degraded", "check", now.Name, "soft", now.Soft, "reason", now.LastError)
	case flipped:
		r.logFlip(was, now)
	case wasDegraded && !now.Degraded && now.Failures == 0:
		r.log.Info("health check is no longer degraded", "check", now.Name, "soft", now.Soft)
	}
	r.logReadiness(v)
}

// verdict is the readiness, and whether it has changed.
type verdict struct {
	changed, ready, serving bool
	failing                 []string
}

// settle computes readiness and notifies the gRPC watchers. The caller holds r.mu, or has just made
// r.
func (r *readiness) settle() verdict {
	v := verdict{serving: r.serving}
	for _, rec := range r.records {
		if !rec.Soft && rec.State != Passing {
			v.failing = append(v.failing, rec.Name)
		}
	}
	v.ready = v.serving && len(v.failing) == 0
	v.changed = r.ready.Swap(v.ready) != v.ready
	for _, s := range r.services {
		r.server.SetServingStatus(s, servingStatus(v.ready))
	}
	return v
}

func (r *readiness) logFlip(was State, now CheckStatus) {
	switch {
	case now.State == Failing:
		r.log.Warn("health check fails", "check", now.Name, "soft", now.Soft, "failures", now.Failures, "reason", now.LastError)
	case was == Failing:
		r.log.Info("health check passes again", "check", now.Name, "soft", now.Soft)
	default:
		r.log.Debug("health check passes", "check", now.Name, "soft", now.Soft)
	}
}

func (r *readiness) logReadiness(v verdict) {
	switch {
	case !v.changed:
	case v.ready:
		r.log.Info("ready")
	case !v.serving:
		r.log.Info("not ready", "reason", "switched off")
	default:
		r.log.Warn("not ready", "reason", "failing checks: "+strings.Join(v.failing, ", "))
	}
}
