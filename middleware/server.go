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

// Server is the server's half. Its methods may be called concurrently, but Registrar, Err and Options
// belong before the first call.
type Server struct {
	pass     *inbound.Server
	defaults contract.Defaults

	mu  sync.Mutex
	err error
}

// NewServer returns a server's half without methods and registers its metrics. It fails where a metric of
// the same name is registered already, as by a second one with the same Registerer.
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

// Options are for grpc.NewServer: calls of methods that are not registered are observed as one method,
// `_OTHER`, and streams end with the deadline of their contract. Interceptors of your own options go on
// running: unary ones inside of the pass, behind authorization, stream ones around it.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.UnknownServiceHandler(s.pass.Unknown), grpc.InTapHandle(s.pass.Tap)}
}

// Registrar returns what generated code registers a service with, so that its methods run through the
// pass on server. Register before the server serves, and ask [Server.Err] afterwards.
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

// Err returns what was wrong with the contracts of the services that were registered, nil if nothing was.
// A service whose contract is wrong is not served.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// HTTP returns next with a span, metrics, panic recovery and one log line for each request. Requests have
// their identity from the client certificate that the http.Server has verified. Routes are those of
// [http.ServeMux]; what does not match one has no label of its own.
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

// Drain tells the handlers that the service is about to stop, by the channel of [Draining]. Calls are
// still served, and none is refused for overload any more. Call it before grpc.Server.GracefulStop.
// Further calls do nothing.
func (s *Server) Drain() {
	s.pass.Leave()
	s.pass.Drain()
}

// Caller is who makes a call, as far as that was proved.
type Caller struct {
	// ID is the SPIFFE ID of a verified client certificate, empty for none.
	ID string
}

// CallerOf returns who makes the call of ctx. It is the zero value where nothing was proved, and where ctx
// belongs to no call.
func CallerOf(ctx context.Context) Caller { return Caller{ID: inbound.CallerOf(ctx).ID} }

// Draining returns a channel that is closed by [Server.Drain], so that a long stream can end in good order.
// It is nil, and so never closed, where ctx belongs to no call and to no request.
func Draining(ctx context.Context) <-chan struct{} { return inbound.Draining(ctx) }
