package chassis

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/redact"
)

// debugPage presents the parts of a service to people: the debug page, the contract as a
// document, and the hints of a start. It only reads, and may be used concurrently.
type debugPage struct {
	service     *Service
	began       time.Time
	cfg         *configuration
	life        *lifecycle
	identity    *identity
	health      *health.Monitor
	limiter     *admission.Limiter // nil where admission is off
	chain       *inbound.Server
	faults      *fault.Set
	protections protections
	resources   *resources
	api         *api
	ports       *ports
	admin       *adminPort
	dialer      *dialer
	workers     *supervisor
}

// snapshot returns the content of the debug page at this moment.
func (p *debugPage) snapshot() admin.Snapshot {
	build := readBuild(p.service.Version)
	return admin.Snapshot{
		Service: p.service.Name, Version: build.version, Environment: p.cfg.Environment, Instance: hostname(),
		Identity: identityText(p.identity.own()), Phase: p.life.phaseNow(), Ready: p.health.Ready(), Started: p.began,
		Addresses: append(p.ports.addresses(), admin.KV{Key: "Admin", Value: p.admin.addr().String()}),
		Build:     append(build.facts, fipsMode()), Methods: p.methods(), Load: p.load(), Checks: p.checks(),
		Certificates: p.certificates(), Workers: p.workers.snapshot(), Settings: p.settingsShown(), Events: p.eventsShown(),
		Faults: p.faultsShown(), Unprotected: p.protections.off(),
	}
}

func identityText(own *mtls.Identity) string {
	if own == nil {
		return ""
	}
	return own.ID.String()
}

func (p *debugPage) methods() []admin.Method {
	routes := map[string][]string{}
	for _, r := range p.api.restRoutes() {
		routes[r.FullMethod] = append(routes[r.FullMethod], r.HTTPMethod+" "+r.Pattern)
	}
	var methods []admin.Method
	for _, m := range p.chain.Methods() {
		ended, failed := m.Calls()
		_, callers := callersOf(m, p.chain.TrustDomain())
		methods = append(methods, admin.Method{
			Name: m.Name, Kind: m.Kind(), Deadline: m.Timeout, Callers: []string{callers},
			Promises: objectives(termsOf(m)), Overridden: m.Overridden, Routes: routes[m.FullMethod],
			Traffic: &admin.Traffic{Calls: ended, Failed: failed, InFlight: int64(m.InFlight())},
		})
	}
	return methods
}

// stepsOfCall are the steps that every call takes, each with its reason.
func stepsOfCall() (shown []admin.KV) {
	for _, s := range inbound.Steps() {
		shown = append(shown, admin.KV{Key: s.Name, Value: s.Reason})
	}
	return shown
}

// load returns the number of running and waiting calls, if they are counted, and the use of
// declared resources.
func (p *debugPage) load() (shown []admin.KV) {
	if p.limiter != nil {
		s := p.limiter.State()
		shown = []admin.KV{
			{Key: "Running", Value: strconv.Itoa(s.Running)},
			{Key: "Held back", Value: strconv.Itoa(s.Queued)},
			{Key: "Waited", Value: s.Waited.Round(time.Millisecond).String() + " in all"},
		}
	}
	return append(shown, p.resources.shown()...)
}

func (p *debugPage) checks() []admin.Check {
	states := map[health.State]string{health.Pending: "unknown", health.Passing: "up", health.Failing: "down"}
	var checks []admin.Check
	for _, c := range p.health.Status().Checks {
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

func (p *debugPage) certificates() []admin.Certificate {
	own := p.identity.own()
	if own == nil {
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

func (p *debugPage) settingsShown() []admin.Setting {
	all := slices.Concat(p.cfg.settings, p.dialer.targets())
	shown := make([]admin.Setting, len(all))
	for n, s := range all {
		shown[n] = admin.Setting{Name: s.Name, Value: redact.Values(s.Value), Origin: s.Origin, Default: s.Default, Meaning: s.Help}
	}
	return shown
}

func (p *debugPage) eventsShown() []admin.Event {
	var shown []admin.Event
	for _, e := range p.life.soFar() {
		event := admin.Event{Time: e.Time, Name: string(e.Step), Detail: redact.Values(e.Detail), Duration: e.Took}
		if e.Err != nil {
			event.Error = redact.Values(e.Err.Error())
		}
		shown = append(shown, event)
	}
	return shown
}

// snapshot returns the workers, without stop functions.
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

func (p *debugPage) faultsShown() []admin.Fault {
	var shown []admin.Fault
	for _, f := range p.faults.Active() {
		var until time.Time
		if f.Until != nil {
			until = *f.Until
		}
		shown = append(shown, admin.Fault{ID: f.ID, Rule: f.Text, By: f.By, Until: until})
	}
	return shown
}
