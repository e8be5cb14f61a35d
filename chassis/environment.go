package chassis

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// guessEnvironment returns the environment and, if CHASSIS_ENVIRONMENT does not set it, the
// reason for the choice. Development opens what production keeps closed. It is chosen only for a
// process that other machines cannot reach and that has no certificates of an environment. Any
// other sign means production.
func guessEnvironment(getenv func(string) string) (environment, why string) {
	if set := getenv("CHASSIS_ENVIRONMENT"); set != "" {
		return set, ""
	}
	// Kubernetes sets the first in each pod, the others are sources of certificates.
	for _, name := range [...]string{"KUBERNETES_SERVICE_HOST", "SPIFFE_ENDPOINT_SOCKET",
		"CHASSIS_TLS_CERT_FILE", "CHASSIS_TLS_KEY_FILE", "CHASSIS_TLS_CA_FILE"} {
		if getenv(name) != "" {
			return production, name + " is set"
		}
	}
	if mode := getenv("CHASSIS_MTLS"); mode == mtlsSPIFFE || mode == mtlsFiles {
		return production, "CHASSIS_MTLS is " + mode
	}
	for _, name := range addressSettings {
		if addr := getenv(name); addr != "" && !onLoopback(addr) {
			return production, name + " is " + addr + ", which other machines can reach"
		}
	}
	return development, "no certificates and no address that other machines can reach are set"
}

var addressSettings = [...]string{"CHASSIS_GRPC_ADDR", "CHASSIS_HTTP_ADDR", "CHASSIS_ADMIN_ADDR"}

// onLoopback reports whether only this machine can reach a listening address. A name other than
// localhost may resolve to any address.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

var targetVariable = regexp.MustCompile(`^CHASSIS_([A-Z][A-Z0-9_]*)_TARGET=`)

// withoutTargets removes the targets of services from environ. The services are known only after
// Setup.
func withoutTargets(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), targetVariable.MatchString)
}
