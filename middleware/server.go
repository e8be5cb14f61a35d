package middleware

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// Server is the server's half of the pass, for one or several grpc.Servers and http.Servers. Its
// methods may be called concurrently. Call Options, Registrar and Err before the first call
// arrives.
type Server struct {
	pass     *inbound.Server
	defaults contract.Defaults

	streams sync.Map // of a streaming method with its leading slash: its pass, a grpc.StreamHandler

	mu       sync.Mutex
	services map[string]service
	err      error
}

// service is one that is registered, and as it is served.
type service struct{ desc, served *grpc.ServiceDesc }

// NewServer returns the server's half without methods, and registers its metrics. It fails if cfg
// is invalid, or if the Registerer has its metrics already, from another Server.
func NewServer(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	inner := inbound.Config{
		Logger: cfg.Logger, Registerer: cfg.Registerer, Tracer: cfg.tracer(), Sampled: sampled, TracerProvider: cfg.TracerProvider,
		AuditOnly: cfg.ReportOnly, Validate: cfg.Validate,
	}
	switch {
	case cfg.Admission && cfg.ReportOnly:
		inner.Admission = admission.NewReporting()
	case cfg.Admission:
		inner.Admission = admission.New()
	}
	pass, err := inbound.NewServer(inner)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return nil, fmt.Errorf("middleware: the Registerer has metrics of another Server already (%w): use one Server for all servers of the process", already)
	}
	if err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	pass.SetTrustDomain(cfg.TrustDomain)
	return &Server{
		pass: pass, defaults: contract.Defaults{Timeout: cfg.Timeout},
		services: map[string]service{},
	}, nil
}

// Options returns options for grpc.NewServer. Put them before your own, and only once: a server has
// one grpc.InTapHandle, which these options set, and grpc.NewServer panics if there is another.
//
// A grpc.UnknownServiceHandler of your own takes the place of theirs, and its calls do not run
// through the pass.
//
// Calls of methods that are not registered are observed as one method, `_OTHER`, and streams end
// at the deadline of their contract. Your own interceptors stay in the server's options. They run
// inside the pass, after authorization and admission, except for grpc.StreamInterceptor, which
// gRPC runs before all chained ones: use grpc.ChainStreamInterceptor.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnknownServiceHandler(s.pass.Unknown), grpc.InTapHandle(s.pass.Tap), grpc.ChainStreamInterceptor(s.stream),
	}
}

// Registrar returns a registrar for generated code. Services registered with it run through the
// pass on server. A service may be registered on several servers: its calls are counted together.
// Register services before the servers serve, and then check [Server.Err].
//
// Reflection needs the server itself, as in reflection.Register(server), and its calls then do not
// run through the pass.
func (s *Server) Registrar(server grpc.ServiceRegistrar) grpc.ServiceRegistrar {
	if r, ok := server.(registrar); ok && r.server == s {
		return r
	}
	return registrar{s, server}
}

type registrar struct {
	server *Server
	next   grpc.ServiceRegistrar
}

func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s := r.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if desc == nil {
		s.err = errors.Join(s.err, errors.New("middleware: a gRPC service is registered with a nil ServiceDesc: pass that of the generated code"))
		return
	}
	served, err := s.wrap(desc)
	switch {
	case r.next == nil:
		err = errors.Join(err, errors.New("middleware: Registrar was called with nil: pass it the grpc.Server"))
	case isNil(impl):
		err = errors.Join(err, fmt.Errorf("middleware: gRPC service %s is registered with a nil server, and every call would panic: pass a server that implements it", desc.ServiceName))
	}
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	r.next.RegisterService(served, impl)
}

// wrap returns desc with methods that run through the pass. The caller holds s.mu.
func (s *Server) wrap(desc *grpc.ServiceDesc) (*grpc.ServiceDesc, error) {
	if known, ok := s.services[desc.ServiceName]; ok {
		if known.desc != desc {
			return nil, fmt.Errorf("middleware: two different descriptions of gRPC service %s are registered: use that of its generated code", desc.ServiceName)
		}
		return known.served, nil
	}
	wrapped, err := s.pass.Wrap(within(desc), nil, s.defaults)
	if err != nil {
		return nil, err
	}
	served := around(desc, wrapped, &s.streams)
	s.services[desc.ServiceName] = service{desc, served}
	return served, nil
}

// isNil reports whether v is nil, or a pointer that is.
func isNil(v any) bool {
	value := reflect.ValueOf(v)
	return !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil()
}

// Err returns the mistakes in the registered services and their contracts, nil if there are none.
// A service with a mistake is not served.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// HTTP wraps next with a span, metrics, panic recovery and one log line for each request. The
// identity of a request is that of the client certificate that the http.Server has verified.
// Routes are the patterns of [http.ServeMux]. Requests that match none share one label. It panics
// if next is nil, as net/http does.
func (s *Server) HTTP(next http.Handler) http.Handler {
	if next == nil {
		panic("middleware: HTTP was called with a nil handler")
	}
	pass := s.pass.HTTP(next, inbound.HTTPLimits{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pass.ServeHTTP(w, r.WithContext(peer.NewContext(r.Context(), peerOf(r))))
	})
}

func peerOf(r *http.Request) *peer.Peer {
	p := new(peer.Peer)
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Addr = net.TCPAddrFromAddrPort(addr)
	}
	if r.TLS != nil {
		p.AuthInfo = credentials.TLSInfo{State: *r.TLS}
	}
	return p
}

// Drain notifies handlers, by the channel of [Draining], that the service is about to stop. Calls
// are still served, and none is refused for overload any more. Call it before
// grpc.Server.GracefulStop. Further calls do nothing.
func (s *Server) Drain() {
	s.pass.Leave()
	s.pass.Drain()
}

// Caller is who makes a call, as far as that was proved.
type Caller struct {
	// ID is the SPIFFE ID of a verified client certificate, empty for none.
	ID string
}

// CallerOf returns the caller of the call or request of ctx. It returns the zero value if the
// caller has proved no identity, or if ctx belongs to neither.
func CallerOf(ctx context.Context) Caller { return Caller{ID: inbound.CallerOf(ctx).ID} }

// Draining returns a channel that [Server.Drain] closes, so that long streams can end gracefully.
// It returns nil, which never closes, if ctx belongs to no call and no request.
func Draining(ctx context.Context) <-chan struct{} { return inbound.Draining(ctx) }
