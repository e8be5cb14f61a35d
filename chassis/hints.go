package chassis

import (
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"strings"

	"github.com/betmakers/paddock/internal/openapi"
)

// printHints logs, in development, commands to copy. The certificates make them hard to guess.
func (p *debugPage) printHints(log *slog.Logger) {
	if !p.cfg.development() {
		return
	}
	if method := p.firstUnary(); method != "" {
		log.Info("try: " + p.grpcurl(method))
	}
	for _, route := range p.api.restRoutes() {
		if p.ports.http != nil {
			log.Info("try: " + p.curl(route))
			break
		}
	}
	log.Info("look: http://" + reachable(p.admin.addr()) + "/debug/")
}

// firstUnary returns the service's first method that can be called with an empty message.
func (p *debugPage) firstUnary() string {
	for _, m := range p.chain.Methods() {
		if m.Unary() && !m.Quiet {
			return m.Name
		}
	}
	return ""
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
		flags += " -X " + route.HTTPMethod + " -d '{}'"
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
