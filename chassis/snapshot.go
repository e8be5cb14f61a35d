package chassis

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/openapi"
	"github.com/betmakers/paddock/internal/redact"
)

// snapshot is what the debug page shows at this moment.
func (i *instance) snapshot() admin.Snapshot {
	build := i.build()
	return admin.Snapshot{
		Service: i.service.Name, Version: build.version, Environment: i.cfg.Environment, Instance: hostname(),
		Identity: i.identityNow(), Phase: i.phaseNow(), Ready: i.health.Ready(), Started: i.began,
		Addresses: i.addresses(), Build: append(build.facts, fipsMode()), Methods: i.methods(), Load: i.load(), Checks: i.checks(),
		Certificates: i.certificates(), Workers: i.workers.snapshot(), Settings: i.settingsShown(), Events: i.eventsShown(),
		Faults: i.faultsShown(), Unprotected: i.protectionsOff(),
	}
}

func (i *instance) identityNow() string {
	if i.source == nil {
		return ""
	}
	own, err := i.source.Identity()
	if err != nil {
		return ""
	}
	return own.ID.String()
}

// addresses are those of the ports that are open: the debug page answers before the service does.
func (i *instance) addresses() []admin.KV {
	i.mu.Lock()
	defer i.mu.Unlock()
	var open []admin.KV
	if i.grpc != nil {
		open = append(open, admin.KV{Key: "gRPC", Value: i.grpc.listener.Addr().String()})
	}
	if i.http != nil {
		open = append(open, admin.KV{Key: "REST", Value: i.http.listener.Addr().String()})
	}
	return append(open, admin.KV{Key: "Admin", Value: i.admin.listener.Addr().String()})
}

func (i *instance) methods() []admin.Method {
	routes := map[string][]string{}
	for _, r := range i.restRoutes() {
		routes[r.FullMethod] = append(routes[r.FullMethod], r.HTTPMethod+" "+r.Pattern)
	}
	var methods []admin.Method
	for _, m := range i.chain.Methods() {
		ended, failed := m.Calls()
		terms := termsOf(m)
		methods = append(methods, admin.Method{
			Name: m.Name, Kind: m.Kind(), Deadline: m.Timeout, Callers: []string{m.Describe()},
			Promises: objectives(terms), Overridden: m.Overridden, Routes: routes[m.FullMethod],
			Traffic: &admin.Traffic{Calls: ended, Failed: failed, InFlight: int64(m.InFlight())},
		})
	}
	return methods
}

// load is how many calls run and wait, where somebody counts them, and how much of the declared resources is in use.
func (i *instance) load() (shown []admin.KV) {
	if i.limiter != nil {
		s := i.limiter.State()
		shown = []admin.KV{
			{Key: "Running", Value: strconv.Itoa(s.Running)},
			{Key: "Held back", Value: strconv.Itoa(s.Queued)},
			{Key: "Waited", Value: s.Waited.Round(time.Millisecond).String() + " in all"},
		}
	}
	return append(shown, i.resourcesShown()...)
}

func (i *instance) checks() []admin.Check {
	states := map[health.State]string{health.Pending: "unknown", health.Passing: "up", health.Failing: "down"}
	var checks []admin.Check
	for _, c := range i.health.Status().Checks {
		state := states[c.State]
		if c.Degraded {
			state = "degraded"
		}
		checks = append(checks, admin.Check{
			Name: c.Name, State: state, Hard: !c.Soft, Since: c.Since, LastRun: c.LastRun,
			Duration: c.LastDuration, LastError: c.LastError,
		})
	}
	return checks
}

func (i *instance) certificates() []admin.Certificate {
	if i.source == nil {
		return nil
	}
	own, err := i.source.Identity()
	if err != nil {
		return nil
	}
	shown := []admin.Certificate{showCertificate("own", own.Certificate.Leaf)}
	for _, authority := range own.Authorities {
		shown = append(shown, showCertificate("trusted", authority))
	}
	return shown
}

func showCertificate(use string, cert *x509.Certificate) admin.Certificate {
	c := admin.Certificate{
		Use: use, Subject: cert.Subject.String(), Serial: fmt.Sprintf("%x", cert.SerialNumber), Issuer: cert.Issuer.String(),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
	if len(cert.URIs) == 1 {
		c.ID = cert.URIs[0].String()
	}
	return c
}

func (i *instance) settingsShown() []admin.Setting {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := slices.Clone(i.settings)
	for _, d := range i.dials {
		all = append(all, d.target)
	}
	shown := make([]admin.Setting, len(all))
	for n, s := range all {
		shown[n] = admin.Setting{Name: s.Name, Value: redact.Values(s.Value), Origin: s.Origin, Default: s.Default, Meaning: s.Help}
	}
	return shown
}

func (i *instance) eventsShown() []admin.Event {
	var shown []admin.Event
	for _, e := range i.eventsSoFar() {
		event := admin.Event{Time: e.Time, Name: string(e.Step), Detail: redact.Values(e.Detail), Duration: e.Took}
		if e.Err != nil {
			event.Error = redact.Values(e.Err.Error())
		}
		shown = append(shown, event)
	}
	return shown
}

// snapshot returns the workers, without the functions that only run at the stop.
func (s *supervisor) snapshot() []admin.Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []admin.Worker
	for _, t := range s.tasks {
		if t.run == nil {
			continue
		}
		t.mu.Lock()
		shown = append(shown, admin.Worker{Name: t.name, State: t.state, Restarts: t.restarts, LastError: t.lastErr})
		t.mu.Unlock()
	}
	return shown
}

// restRoutes are the REST routes of the registered methods, none before Setup has returned or without a gateway.
func (i *instance) restRoutes() []openapi.Route {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.routes
}
