package chassis

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/chassis/internal/harness"
	"github.com/betmakers/paddock/internal/contract"
)

// surroundings are the parts of a process that a service uses: environment, ports, standard
// output, network. A test replaces them. No function of the harness is nil here.
type surroundings struct {
	harness.Harness // Environ is nil for the process's own, which may change
}

// surroundingsOf returns the surroundings of ctx, and the process's own where a test has set
// none.
func surroundingsOf(ctx context.Context) surroundings {
	h := *harness.From(ctx)
	if h.Listen == nil {
		h.Listen = listenTCP
	}
	if h.Output == nil {
		h.Output = os.Stdout
	}
	if h.LookupHost == nil {
		h.LookupHost = net.DefaultResolver.LookupHost
	}
	if h.InterfaceAddrs == nil {
		h.InterfaceAddrs = net.InterfaceAddrs
	}
	if h.Registered == nil {
		h.Registered = func(prometheus.Gatherer) {}
	}
	if h.Methods == nil {
		h.Methods = func([]*contract.Method) {}
	}
	return surroundings{h}
}

// replaced reports whether a test has replaced the process.
func (s *surroundings) replaced() bool { return s.Environ != nil }

// environ returns the environment as os.Environ does.
func (s *surroundings) environ() []string {
	if s.Environ != nil {
		return s.Environ
	}
	return os.Environ()
}

// Lookup returns an environment variable. It implements envconfig.Lookuper.
func (s *surroundings) Lookup(key string) (string, bool) {
	if s.Environ == nil {
		return os.LookupEnv(key)
	}
	for _, variable := range slices.Backward(s.Environ) {
		if name, value, ok := strings.Cut(variable, "="); ok && name == key {
			return value, true
		}
	}
	return "", false
}

// getenv returns an environment variable, empty if it is not set.
func (s *surroundings) getenv(name string) string {
	value, _ := s.Lookup(name)
	return value
}

// listenTCP opens a port of the machine. Port is "grpc", "http" or "admin".
func listenTCP(ctx context.Context, port, addr string) (net.Listener, error) {
	lc := net.ListenConfig{}
	if port == "grpc" { // gRPC sets this on a *net.TCPConn alone, which it does not get
		lc.Control = setUserTimeout
	}
	return lc.Listen(ctx, "tcp", addr)
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
