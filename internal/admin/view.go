package admin

import (
	"net/http"
	"strings"
	"time"
)

// view is a snapshot with what the pages say about it.
type view struct {
	Snapshot
	Now        time.Time
	Refreshing bool
	Base       string // "http://localhost:8081", as the reader reached us, for commands to copy
	Log        levelState
	Levels     []string
	Flight     bool
	FlightOff  string
	Certs      []certView
	Services   []serviceView
	Traffic    bool // whether any method counts its calls
	Explains   bool // whether it can be asked who may call
	Steps      []KV // of a call
	Changed    []Setting
	Defaults   []Setting
	Troubles   []string
}

// serviceView is the methods of one service, by their short names.
type serviceView struct {
	Name    string
	Methods []methodView
}

type methodView struct {
	Short string
	Method
}

// certView is a certificate and how much of its life is left.
type certView struct {
	Certificate
	State string
	Left  int // per cent of its life
}

func (p *pages) view(r *http.Request) view {
	v := view{
		Snapshot:  p.cfg.Snapshot(),
		Now:       time.Now(),
		Base:      "http://" + r.Host,
		Log:       p.levels.state(),
		Levels:    []string{"debug", "info", "warn", "error"},
		Flight:    flightRunning(p.cfg.FlightRecorder),
		FlightOff: flightOff,
		Explains:  p.cfg.Explain != nil,
		Steps:     p.cfg.Steps,
	}
	if r.TLS != nil {
		v.Base = "https://" + r.Host
	}
	if v.Service == "" {
		v.Service = p.cfg.Service
	}
	v.Services, v.Traffic = byService(v.Methods)
	v.Changed, v.Defaults = byOrigin(v.Settings)
	for _, c := range v.Certificates {
		v.Certs = append(v.Certs, certViewOf(c, v.Now))
	}
	v.Troubles = troubles(v)
	return v
}

// byService groups methods under their services, in the order they came.
func byService(methods []Method) (services []serviceView, traffic bool) {
	at := make(map[string]int)
	for _, m := range methods {
		service, short := "", m.Name
		if i := strings.LastIndexByte(m.Name, '/'); i >= 0 {
			service, short = strings.TrimPrefix(m.Name[:i], "/"), m.Name[i+1:]
		}
		i, ok := at[service]
		if !ok {
			i = len(services)
			at[service] = i
			services = append(services, serviceView{Name: service})
		}
		services[i].Methods = append(services[i].Methods, methodView{short, m})
		traffic = traffic || m.Traffic != nil
	}
	return services, traffic
}

func byOrigin(settings []Setting) (changed, defaults []Setting) {
	for _, s := range settings {
		if s.Origin == "default" {
			defaults = append(defaults, s)
		} else {
			changed = append(changed, s)
		}
	}
	return changed, defaults
}

// certViewOf judges a certificate. One of our own is renewed at two thirds of
// its life, so a quarter left means that renewing does not work; one that we
// trust is somebody else's to renew, and the last tenth is early enough.
func certViewOf(c Certificate, now time.Time) certView {
	v := certView{Certificate: c, State: "valid"}
	if life := c.NotAfter.Sub(c.NotBefore); life > 0 {
		left := float64(c.NotAfter.Sub(now)) / float64(life)
		v.Left = int(100 * min(1, max(0, left)))
	}
	threshold := 25
	if c.Use == "trusted" {
		threshold = 10
	}
	switch {
	case !now.Before(c.NotAfter):
		v.State = "expired"
	case now.Before(c.NotBefore):
		v.State = "not yet valid"
	case v.Left < threshold:
		v.State = "expiring"
	}
	return v
}

// troubles is what a reader should see first, one line each.
func troubles(v view) (lines []string) {
	lines = append(lines, v.Unprotected...)
	if len(v.Faults) > 0 {
		lines = append(lines, "faults are injected on purpose: see below, and DELETE /debug/faults ends them")
	}
	for _, c := range v.Checks {
		switch {
		case c.State == "down" && c.Hard:
			lines = append(lines, "check "+c.Name+" is down, so the service is not ready")
		case c.State == "down":
			lines = append(lines, "check "+c.Name+" is down (soft: the service stays ready)")
		case c.State == "degraded":
			lines = append(lines, "check "+c.Name+" is degraded: "+c.LastError)
		}
	}
	for _, c := range v.Certs {
		if c.State != "valid" {
			lines = append(lines, c.Use+" certificate "+c.Subject+" is "+c.State+" ("+relative(v.Now, c.NotAfter)+")")
		}
	}
	for _, w := range v.Workers {
		if w.State == "failed" || w.State == "restarting" {
			lines = append(lines, "worker "+w.Name+" is "+w.State)
		}
	}
	return lines
}
