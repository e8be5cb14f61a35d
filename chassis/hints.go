package chassis

import (
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/betmakers/paddock/internal/openapi"
)

// printHints logs, in development, commands that a person can paste: the certificates make them hard to guess.
func (i *instance) printHints() {
	if !i.cfg.development() {
		return
	}
	if method := i.firstUnary(); method != "" {
		i.log.Info("try: " + i.grpcurl(method))
	}
	for _, route := range i.api.restRoutes() {
		if i.ports.http != nil {
			i.log.Info("try: " + i.curl(route))
			break
		}
	}
	i.log.Info("look: http://" + reachable(i.admin.listener.Addr()) + "/debug/")
}

// firstUnary returns the first method of the service's own that can be called with an empty message.
func (i *instance) firstUnary() string {
	for _, m := range i.chain.Methods() {
		if m.Unary() && !m.Quiet {
			return m.Name
		}
	}
	return ""
}

func (i *instance) grpcurl(method string) string {
	security := "-plaintext"
	if f := i.identity.clientFiles; f != nil {
		security = fmt.Sprintf("-cacert %s -cert %s -key %s", f[0], f[1], f[2])
	} else if i.identity.source != nil {
		security = "-cacert CA.pem -cert CERT.pem -key KEY.pem"
	}
	command := "grpcurl"
	if path, err := exec.LookPath(command); err == nil { // where the service was started, which may not be where it is tried
		command = path
	}
	return fmt.Sprintf("%s %s -d '{}' %s %s", command, security, reachable(i.ports.grpc.listener.Addr()), method)
}

func (i *instance) curl(route openapi.Route) string {
	scheme, flags := "http", ""
	if i.cfg.HTTPTLS && i.identity.source != nil {
		scheme = "https"
		if i.identity.clientFiles != nil {
			flags = " --cacert " + i.identity.clientFiles[0]
		}
	}
	if route.HTTPMethod != "GET" {
		flags += " -X " + route.HTTPMethod + " -d '{}'"
	}
	path := strings.NewReplacer("{", "", "}", "").Replace(route.Pattern)
	return fmt.Sprintf("curl%s %s://%s%s", flags, scheme, reachable(i.ports.http.listener.Addr()), path)
}

// reachable returns an address that this machine can dial and that stands in the development certificate.
func reachable(addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return net.JoinHostPort("localhost", port)
}
