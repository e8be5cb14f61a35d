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

// HTTP is the chain's pass around plain HTTP: span, metrics, panic recovery, limits, and an access-log line for a
// request that made no call. One that did has its line from the call. The identity of the caller is the gRPC peer in
// the request's context, which the server sets per connection and nobody else.
func (s *Server) HTTP(next http.Handler, limits HTTPLimits) http.Handler {
	return serveHTTP(s, next, limits)
}

// Route returns next for the callers of record, which is open to the own trust domain where it says nothing, as a
// method is. A token that is not accepted is refused on public routes too, and the rate limit is that of the calls.
// Others get 401, 403 or 429 before a byte of the body is read; they are counted under the record's name, by which
// InFlight counts the requests. Next reads the body as it came, compressed or not, and as much of it as the record's
// MaxRequest says, 0 for no limit. A stream of it ends with what its caller has proved. It must run inside of the handler
// of HTTP, and does nothing outside of it.
func (s *Server) Route(record *contract.Method, next http.Handler) http.Handler {
	return serveRoute(s, record, next)
}

// Gateway returns the gateway, which answers errors as problems, and what its generated code calls. That code wants a
// *grpc.ClientConn, so this is one whose interceptors hand every call to the chain: it never connects, and its target is
// never resolved. Metadata and Encode of cfg are the gateway's own where they are nil.
func (s *Server) Gateway(cfg RESTConfig) (*gateway.ServeMux, *grpc.ClientConn, error) {
	return openGateway(s, cfg)
}

// Conn returns the registered methods as a client connection for grpc-gateway: calls run through the same function as
// those that arrive by gRPC, in this process, with messages handed over and no transport between. Methods wrapped
// later are seen too. It may be used concurrently.
func (s *Server) Conn(cfg RESTConfig) grpc.ClientConnInterface { return newRESTConn(s, cfg) }

// Resource declares a resource that limit calls can use at once. It must be called before the first call. It fails for a
// limit below 1, for an empty name and for one that is declared already.
func (s *Server) Resource(name string, limit int) (*Resource, error) {
	return newResource(s, name, limit)
}

// BoundsStreams reports whether a method that streams declares a deadline, so that the server needs [Server.Tap]. Without
// need it is left out: grpc-go allocates for each call that it shows to a tap.
func (s *Server) BoundsStreams() bool { return boundsStreams(s) }

// Tap gives a stream the deadline that its method declares, and is for grpc.InTapHandle: the transport waits for the context
// that Tap returns, so that a handler which is blocked in Send or Recv comes back with DEADLINE_EXCEEDED. Without Tap it
// stays there for as long as its caller likes.
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	return boundStream(ctx, s, info)
}

// CheckFault refuses a rule that no call of a registered method meets. Health and reflection meet none.
func (s *Server) CheckFault(r *fault.Rule) error { return checkFault(s, r) }

// SetFaults has calls from now on fail by rules: the first that names method and caller and hits by its ratio. None ends
// all faults. Calls that run are not touched.
func (s *Server) SetFaults(rules []*fault.Rule) { setFaults(s, rules) }

// InFlight returns what runs at this moment and how often: calls by their method, and by their route the HTTP
// requests that are not in a call.
func (s *Server) InFlight() map[string]int { return inFlight(s) }

// Wrap returns a copy of desc in which every method runs through the chain, to be registered with impl. Unary methods
// become streams of one message each way, which is how grpc-go itself serves them since 1.85: so one handler serves
// gRPC and REST, and sees what happens to a message before and after the service's code.
//
// The error tells of every declaration of the service that contradicts itself.
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

// Unknown serves calls of methods that nobody registered: they are refused, and observed as one method, `_OTHER`.
func (s *Server) Unknown(_ any, stream grpc.ServerStream) error { return s.unknown.Serve(nil, stream) }

// NewServer returns a chain without methods and registers its metrics. It fails where a metric of the same name is
// registered already.
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
	s.unknown = newMethod(s, &contract.Method{Name: "_OTHER", Public: true, ClientStreams: true, ServerStreams: true}, unknownMethod)
	obs.inFlight.add(s.unknown.metrics)
	return s, nil
}
