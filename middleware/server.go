package middleware

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// Server is the server's half of the pass. Its methods may be called concurrently. Call Options,
// Registrar and Err before the first call arrives.
type Server struct {
	pass     *inbound.Server
	defaults contract.Defaults

	mu  sync.Mutex
	err error
}

// NewServer returns the server's half without methods, and registers its metrics. It fails if a
// metric of the same name is registered already, for example by a second Server with the same
// Registerer.
func NewServer(cfg Config) (*Server, error) {
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
	if err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	pass.SetTrustDomain(cfg.TrustDomain)
	return &Server{pass: pass, defaults: contract.Defaults{Timeout: cfg.Timeout}}, nil
}

// Options returns options for grpc.NewServer. Calls of methods that are not registered are
// observed as one method, `_OTHER`, and streams end at the deadline of their contract. Your own
// interceptors stay in the server's options: unary ones run inside the pass, after authorization
// and admission, stream ones around it.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.UnknownServiceHandler(s.pass.Unknown), grpc.InTapHandle(s.pass.Tap)}
}

// Registrar returns a registrar for generated code. Services registered with it run through the
// pass on server. Register services before the server serves, and then check [Server.Err].
func (s *Server) Registrar(server grpc.ServiceRegistrar) grpc.ServiceRegistrar {
	return registrar{s, server}
}

type registrar struct {
	server *Server
	next   grpc.ServiceRegistrar
}

func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	wrapped, err := r.server.pass.Wrap(withInterceptors(desc), impl, r.server.defaults)
	if err != nil {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		r.server.err = errors.Join(r.server.err, err)
		return
	}
	r.next.RegisterService(withUnary(desc, wrapped), impl)
}

// Err returns the mistakes in the contracts of the registered services, nil if there are none. A
// service with an invalid contract is not served.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// HTTP wraps next with a span, metrics, panic recovery and one log line for each request. The
// identity of a request is that of the client certificate that the http.Server has verified.
// Routes are the patterns of [http.ServeMux]. Requests that match none share one label.
func (s *Server) HTTP(next http.Handler) http.Handler {
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
