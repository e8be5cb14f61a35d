package chassis

import (
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"strings"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/openapi"
)

// printHints logs, in development, commands to copy. The certificates make them hard to guess.
func (p *debugPage) printHints(log *slog.Logger) {
	if !p.cfg.development() {
		return
	}
	if m, refused := p.toTry(p.chain.Methods(), p.developer()); m != nil {
		log.Info("try: " + p.grpcurl(m.Name) + refused)
	}
	if p.ports.http != nil {
		p.hintREST(log)
	}
	log.Info("look: http://" + reachable(p.admin.addr()) + "/debug/")
}

func (p *debugPage) hintREST(log *slog.Logger) {
	routes := map[string]openapi.Route{} // the first of each method
	var methods []*inbound.Method
	for _, r := range p.api.restRoutes() {
		if _, known := routes[r.FullMethod]; known {
			continue
		}
		routes[r.FullMethod] = r
		for _, m := range p.chain.Methods() {
			if m.FullMethod == r.FullMethod {
				methods = append(methods, m)
			}
		}
	}
	if m, refused := p.toTry(methods, contract.Caller{}); m != nil { // curl has no certificate
		log.Info("try: " + p.curl(routes[m.FullMethod]) + refused)
	}
}

// toTry returns the first unary method that caller may call with an empty message. If there is
// none, it returns the first one, with a comment that says who may call it.
func (p *debugPage) toTry(methods []*inbound.Method, caller contract.Caller) (first *inbound.Method, refused string) {
	for _, m := range methods {
		switch {
		case !m.Unary() || m.Quiet:
		case p.cfg.Authorization == authorizationAudit || m.Authorize(caller, p.chain.TrustDomain()):
			return m, ""
		case first == nil:
			first, refused = m, "   # is refused: open to "+m.Describe()
		}
	}
	return first, refused
}

// developer is the caller of the printed grpcurl command.
func (p *debugPage) developer() contract.Caller {
	if p.identity.clientFiles == nil {
		return contract.Caller{}
	}
	return contract.Caller{ID: "spiffe://" + mtls.DevelopmentTrustDomain + "/developer"}
}

func (p *debugPage) grpcurl(method string) string {
	security := "-plaintext"
	if f := p.identity.clientFiles; f != nil {
		security = fmt.Sprintf("-cacert %s -cert %s -key %s", f[0], f[1], f[2])
	} else if p.identity.source != nil {
		security = "-cacert CA.pem -cert CERT.pem -key KEY.pem"
	}
	command := "grpcurl"
	if path, err := exec.LookPath(command); err == nil { // on the machine of the service; the hint may be used on another
		command = path
	}
	return fmt.Sprintf("%s %s -d '{}' %s %s", command, security, reachable(p.ports.grpc.listener.Addr()), method)
}

func (p *debugPage) curl(route openapi.Route) string {
	scheme, flags := "http", ""
	if p.cfg.HTTPTLS && p.identity.source != nil {
		scheme = "https"
		if p.identity.clientFiles != nil {
			flags = " --cacert " + p.identity.clientFiles[0]
		}
	}
	if route.HTTPMethod != "GET" {
		flags += " -X " + route.HTTPMethod + " -H 'Content-Type: application/json' -d '{}'"
	}
	path := strings.NewReplacer("{", "", "}", "").Replace(route.Pattern)
	return fmt.Sprintf("curl%s %s://%s%s", flags, scheme, reachable(p.ports.http.listener.Addr()), path)
}

// reachable returns an address that this machine can dial and that the development certificate
// contains.
func reachable(addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return net.JoinHostPort("localhost", port)
}
