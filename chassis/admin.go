package chassis

import (
	"context"
	"net/http"
	"runtime/trace"
	"slices"
	"strings"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/middleware"
)

// adminServer serves the admin port.
type adminServer struct {
	httpServer
	handler *admin.Handler
}

// startAdmin opens the port of probes, metrics and debug pages: live, not ready.
func (i *instance) startAdmin(ctx context.Context) (string, error) {
	server, err := i.ports.openHTTP(ctx, "admin", "CHASSIS_ADMIN_ADDR", i.cfg.AdminAddr, i.cfg.AdminTLS)
	if err != nil {
		return "", err
	}
	handler := admin.New(admin.Config{
		Service: i.service.Name, Level: i.telemetry.Level(), Logger: i.log,
		Metrics: i.telemetry.MetricsHandler(), Livez: i.health.Livez(), Readyz: i.health.Readyz(), Startupz: i.health.Startupz(),
		Snapshot: i.snapshot, Contract: i.contractDoc, Allow: i.allowDebug(), NotLocal: !i.cfg.DebugLocal, FlightRecorder: i.startFlightRecorder(), Explain: i.explain,
		Faults: i.faults, MayChange: i.mayChange(), Audit: i.audit, WriteTimeout: i.cfg.WriteTimeout,
	})
	server.Handler = handler
	i.admin = &adminServer{httpServer: *server, handler: handler}
	i.admin.serve()
	return server.listener.Addr().String(), nil
}

// allowDebug returns what lets identities of CHASSIS_DEBUG_CALLERS see /debug from elsewhere, nil if there are none.
func (i *instance) allowDebug() func(*http.Request) bool {
	if len(i.cfg.DebugCallers) == 0 {
		return nil
	}
	var patterns []contract.Pattern
	for _, text := range i.cfg.DebugCallers {
		pattern, _ := contract.ParsePattern(text) // validate has refused what is no pattern
		patterns = append(patterns, pattern)
	}
	return func(r *http.Request) bool {
		id, ok := mtls.PeerID(r.Context())
		return ok && slices.ContainsFunc(patterns, func(p contract.Pattern) bool {
			return p.Match(contract.Caller{ID: id.String()}, i.chain.TrustDomain())
		})
	}
}

// explain tells an operator whether a caller may call a method, as it would be decided now. A caller given by name is
// one of the own trust domain.
func (i *instance) explain(method, id, subject string) (string, bool) {
	domain := i.chain.TrustDomain()
	if id != "" && domain != "" && !strings.Contains(id, "://") {
		id = "spiffe://" + domain + "/" + id
	}
	for _, m := range i.chain.Methods() {
		if m.Name != method {
			continue
		}
		verdict := m.Explain(middleware.Caller{ID: id, Subject: subject}, domain)
		text := "refused: "
		switch {
		case verdict.Allowed:
			text = "allowed: "
		case i.cfg.Authorization == authorizationAudit:
			text = "let in all the same, as CHASSIS_AUTHORIZATION=audit: "
		}
		return text + verdict.Why, true
	}
	return "", false
}

// startFlightRecorder keeps the last seconds of execution trace. A process has one recorder: the service that starts
// first has it, and the pages of the others say that there is none.
func (i *instance) startFlightRecorder() *trace.FlightRecorder {
	if !i.cfg.FlightRecorder {
		return nil
	}
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		i.log.Debug("no flight recorder", "error", err.Error())
		return nil
	}
	i.stopRecorder = recorder.Stop
	return recorder
}
