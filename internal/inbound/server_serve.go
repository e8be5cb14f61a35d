package inbound

import (
	"context"
	"net/http"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// HTTP adds the chain's pass to plain HTTP: span, metrics, panic recovery, limits, and an
// access-log line for a request without a call. The line of a request with a call comes from the
// call. The identity of the caller is the gRPC peer in the request's context, which only the
// server sets, per connection.
func (s *Server) HTTP(next http.Handler, limits HTTPLimits) http.Handler {
	return serveHTTP(s, next, limits)
}

// Surround returns next within the service's HTTP middleware and CORS. It must run inside the
// handler of HTTP. It fails for a malformed origin and for a middleware that
// returns nil.
func (s *Server) Surround(next http.Handler, edge *Edge) (http.Handler, error) {
	return surround(s, next, edge)
}

// Route returns next for the callers of record. Without callers it is open to the own trust
// domain, like a method. It must run inside the handler of HTTP, and does nothing outside it.
//
//   - Other callers get 401, 403 or 429 before the body is read. The rate limit is that of calls.
//     They are counted under the record's name, which InFlight uses too.
//   - A rejected token is refused on public routes too.
//   - next reads the body as the client sent it, compressed or not, up to MaxRequest of the
//     record, 0 for no limit.
//   - A stream ends with its caller's proof.
func (s *Server) Route(record *contract.Method, next http.Handler) http.Handler {
	return serveRoute(s, record, next)
}

// Gateway returns the gateway, which answers errors as problems, and the connection for its
// generated code. That code needs a *grpc.ClientConn, so this is one whose interceptors pass
// every call to the chain. It never connects, and its target is never resolved. If Metadata and
// Encode of cfg are nil, the gateway's own are used.
func (s *Server) Gateway(cfg RESTConfig) (*gateway.ServeMux, *grpc.ClientConn, error) {
	return openGateway(s, cfg)
}

// Conn returns the registered methods as a client connection for grpc-gateway. Calls run in this
// process through the same function as gRPC calls, and messages are passed without a transport.
// Methods that are wrapped later are included. It may be used concurrently.
func (s *Server) Conn(cfg RESTConfig) grpc.ClientConnInterface { return newRESTConn(s, cfg) }

// Resource declares a resource that limit calls can use at once. Call it before the first call.
// It fails for a limit below 1, for an empty name and for a declared one.
func (s *Server) Resource(name string, limit int) (*Resource, error) {
	return newResource(s, name, limit)
}

// BoundsStreams reports whether a streaming method declares a deadline, so that the server needs
// [Server.Tap]. Without need, leave the tap out: grpc-go allocates for each call that it passes
// to a tap.
func (s *Server) BoundsStreams() bool { return boundsStreams(s) }

// Tap gives a stream the deadline of its method. It is a grpc.InTapHandle: the transport waits
// for the returned context, so a handler that is blocked in Send or Recv returns with
// DEADLINE_EXCEEDED. Without Tap it would stay blocked as long as its caller wants.
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	return boundStream(ctx, s, info)
}

// CheckFault rejects a rule that applies to no registered method. No rule applies to health and
// reflection.
func (s *Server) CheckFault(r *fault.Rule) error { return checkFault(s, r) }

// SetFaults injects faults into calls from now on. The first rule that matches method, caller and
// ratio applies. An empty list ends all faults. Running calls are not affected.
func (s *Server) SetFaults(rules []*fault.Rule) { setFaults(s, rules) }

// InFlight returns the numbers of running calls by method, and of HTTP requests without a running
// call by route.
func (s *Server) InFlight() map[string]int { return inFlight(s) }

// Wrap returns a copy of desc in which every method runs through the chain, to be registered with
// impl. Unary methods become streams of one message in each direction, as in grpc-go itself since
// 1.85. So one handler serves gRPC and REST, and sees a message before and after the service's
// code.
//
// The error has all declarations of the service that contradict themselves.
func (s *Server) Wrap(desc *grpc.ServiceDesc, impl any, defaults contract.Defaults) (*grpc.ServiceDesc, error) {
	unary, streams, err := contract.Compile(desc, defaults)
	if err != nil {
		return nil, err
	}
	wrapped := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: desc.HandlerType, Metadata: desc.Metadata}
	for i, record := range unary {
		m := add(s, newMethod(s, record, unaryHandler(s, &desc.Methods[i], impl)))
		wrapped.Streams = append(wrapped.Streams, m.desc(desc.Methods[i].MethodName))
	}
	for i, record := range streams {
		m := add(s, newMethod(s, record, streamHandler(s, &desc.Streams[i], impl, record)))
		wrapped.Streams = append(wrapped.Streams, m.desc(desc.Streams[i].StreamName))
	}
	return wrapped, nil
}

// Unknown serves calls of unregistered methods: they are refused, and observed as one method,
// `_OTHER`.
func (s *Server) Unknown(_ any, stream grpc.ServerStream) error { return s.unknown.Serve(nil, stream) }

// NewServer returns a chain without methods and registers its metrics. It fails if a metric of
// the same name is registered already.
func NewServer(cfg Config) (*Server, error) {
	obs, err := newObserver(cfg)
	if err != nil {
		return nil, err
	}
	crossSite, err := newCrossSite(cfg.TrustedOrigins)
	if err != nil {
		return nil, err
	}
	s := &Server{
		crossSite: crossSite,
		cfg:       cfg, obs: obs, draining: make(chan struct{}), limiter: ratelimit.New(cfg.RateLimits),
		shares:     admission.NewShares(),
		processors: newShortage("the processors of the service have", "more calls than the processors can do"),
	}
	s.byName.Store(&map[string]*Method{})
	s.unknown = newMethod(s, &contract.Method{Name: otherMethods, Public: true, ClientStreams: true, ServerStreams: true}, unknownMethod)
	obs.traffic.add(s.unknown.metrics)
	return s, nil
}
