package inbound

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/allowance"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// Server is the server's side of the chain. Its methods may be called concurrently.
type Server struct {
	cfg         Config
	obs         *observer
	leaving     atomic.Bool
	trustDomain string // set before the first call
	draining    chan struct{}
	drain       sync.Once
	streams     streams
	resources   resources
	routes      routes
	requests    requests
	cutting     atomic.Bool // a stop is at its end, and closes the connections

	unaudited allowance.Lines // about calls that could not be recorded, which are all of them while that lasts

	limiter   *ratelimit.Limiter // nil: no caller is limited
	crossSite *http.CrossOriginProtection
	unknown   *Method

	shares     admission.Shares
	processors *shortage

	watches sync.Pool // of *watch, of HTTP requests that have ended
	gzips   gzips

	mu      sync.RWMutex
	methods []*Method                          // in the order of registration
	byName  atomic.Pointer[map[string]*Method] // by FullMethod; replaced, not changed, as each call reads it
}

// SetTrustDomain sets the own trust domain, empty if mutual TLS is off. Call it before the first
// call.
func (s *Server) SetTrustDomain(domain string) { s.trustDomain = domain }

// TrustDomain returns the domain of SetTrustDomain.
func (s *Server) TrustDomain() string { return s.trustDomain }

// Methods returns the methods wrapped so far, in the order of their registration.
func (s *Server) Methods() []*Method {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.methods)
}

// Streams returns the number of calls that run on connections of the gRPC port.
func (s *Server) Streams() int { return s.obs.traffic.streams() }

// lookup returns the method of a name with its leading slash, nil if it is not registered.
func (s *Server) lookup(fullMethod string) *Method { return (*s.byName.Load())[fullMethod] }
