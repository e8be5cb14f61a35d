package chassis

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/openapi"
)

// api is how the registered services look from outside: their REST routes and the terms of their
// methods. Its methods may be called concurrently.
type api struct {
	chain       *inbound.Server
	restTimeout time.Duration

	mu       sync.Mutex
	services []protoreflect.ServiceDescriptor // with a descriptor in the binary
	routes   []openapi.Route
}

// read reads the routes of services from their descriptors. Before it there are none. A route whose
// template cannot be described is left out: the gateway alone decides whether it is served.
func (a *api) read(names []string) {
	var services []protoreflect.ServiceDescriptor
	var routes []openapi.Route
	for _, name := range names {
		service := contract.Descriptor(name)
		if service == nil {
			continue
		}
		found, _ := openapi.Routes(service) // withDocs reports the error
		services, routes = append(services, service), append(routes, found...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services, a.routes = services, routes
}

// restRoutes returns the REST routes: none before Setup has returned, or without a gateway.
func (a *api) restRoutes() []openapi.Route {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.routes)
}

// customMethods returns the HTTP methods of routes that are declared with a custom pattern.
func (a *api) customMethods() (methods []string) {
	for _, r := range a.restRoutes() {
		switch r.HTTPMethod {
		case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch, http.MethodHead, "*":
		default:
			if !slices.Contains(methods, r.HTTPMethod) {
				methods = append(methods, r.HTTPMethod)
			}
		}
	}
	return methods
}

// withDocs serves the API's description and the page to try it out, and passes other requests on. A
// route that cannot be described is reported to log, and served all the same.
func (a *api) withDocs(next http.Handler, info openapi.Info, log *slog.Logger) http.Handler {
	info.Terms = a.terms
	a.mu.Lock()
	services := a.services
	a.mu.Unlock()
	document, err := openapi.Document(info, services)
	if err != nil {
		log.Warn("the API pages leave out routes that cannot be described", "error", err)
	}
	docs := openapi.Handler(document)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/openapi.json":
			inbound.SetRoute(r.Context(), path)
		case path == "/docs" || strings.HasPrefix(path, "/docs/"):
			inbound.SetRoute(r.Context(), "/docs/")
		default:
			next.ServeHTTP(w, r)
			return
		}
		docs.ServeHTTP(w, r)
	})
}

// terms returns the terms of a method's contract, for the description of the API. It reports
// false for a method that is not served.
func (a *api) terms(fullMethod string) (openapi.Terms, bool) {
	for _, m := range a.chain.Methods() {
		if m.FullMethod == fullMethod {
			terms := termsOf(m)
			terms.Deadline = m.TimeoutByREST(a.restTimeout)
			terms.Public, terms.Callers = callersOf(m, a.chain.TrustDomain())
			return terms, true
		}
	}
	return openapi.Terms{}, false
}

func termsOf(m *inbound.Method) openapi.Terms {
	o := m.Objectives
	return openapi.Terms{
		Deadline: m.Timeout, Public: m.Public, Callers: m.Describe(),
		Availability: o.Availability, Latency: o.Latency, Within: o.Within,
	}
}

// callersOf describes who may call m. domain is the own trust domain, empty if mutual TLS is off:
// then a method that lists no callers accepts all of them, as [contract.Method.Authorize] does.
func callersOf(m *inbound.Method, domain string) (public bool, callers string) {
	if len(m.Callers) == 0 && domain == "" {
		return true, "anybody"
	}
	return m.Public, m.Describe()
}

// objectives formats the objectives of a method for people.
func objectives(t openapi.Terms) (lines []string) {
	if t.Availability > 0 {
		lines = append(lines, fmt.Sprintf("%v %% available", t.Availability))
	}
	if t.Latency > 0 {
		lines = append(lines, fmt.Sprintf("%v %% within %s", t.Latency, t.Within))
	}
	return lines
}
