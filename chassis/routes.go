package chassis

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/openapi"
)

// routeCheck compares the routes that the registered services declare with those that are served.
// Without it each mistake shows in a failing request. It asks the muxes themselves, so it does
// not matter how a route was added. Nothing may be registered while it runs.
type routeCheck struct{ *App }

func (a routeCheck) run() error {
	errs := a.checkWithoutGateway()
	for _, register := range a.gateways {
		errs = append(errs, a.checkGateway(register))
	}
	owners := map[string]string{} // methods by the shape of their routes
	for _, s := range a.services {
		for _, r := range a.declared(s) {
			errs = append(errs, own(owners, r))
		}
	}
	for _, s := range a.services {
		errs = append(errs, a.checkServed(s, owners)...)
	}
	a.warnOfDocs()
	return errors.Join(errs...)
}

// warnOfDocs logs patterns of Handle that the description of the API hides. This is not an error,
// because the description is served only in development unless it is switched on.
func (a routeCheck) warnOfDocs() {
	if a.below == nil || a.gateway == nil || !a.instance.cfg.HTTPDocs {
		return
	}
	for _, path := range []string{"/docs/", "/openapi.json"} {
		if pattern := a.handlePattern(openapi.Route{HTTPMethod: http.MethodGet, Pattern: path}); pattern != "" {
			a.instance.log.Warn("the API pages hide a pattern of app.Handle: choose another path, or set CHASSIS_HTTP_DOCS=false",
				"pattern", pattern, "path", path)
		}
	}
}

func (a routeCheck) checkWithoutGateway() (errs []error) {
	for _, name := range a.grpcOnly {
		if !a.names[name] {
			errs = append(errs, fmt.Errorf("chassis: app.WithoutGateway was called with %q, which is not registered: write the full name of the service, such as hello.v1.HelloService, or remove it", name))
		}
	}
	return errs
}

// declared returns the routes that a service declares for this gateway. Malformed routes are left
// out: generators reject them.
func (a routeCheck) declared(s service) []openapi.Route {
	descriptor := contract.Descriptor(s.desc.ServiceName)
	if descriptor == nil || slices.Contains(a.grpcOnly, s.desc.ServiceName) {
		return nil
	}
	routes, _ := openapi.Routes(descriptor)
	return routes
}

// own records the method of a route, and fails if another method has it. A method may declare a
// route twice.
func own(owners map[string]string, r openapi.Route) error {
	key := r.HTTPMethod + " " + shape(r.Pattern)
	other, taken := owners[key]
	if taken && other != r.FullMethod {
		return fmt.Errorf("chassis: %s and %s both declare the route %s %s, and only one would get its requests: change the google.api.http option of one",
			name(other), name(r.FullMethod), r.HTTPMethod, r.Pattern)
	}
	owners[key] = r.FullMethod
	return nil
}

// checkServed compares the routes of a service with those that are served.
func (a routeCheck) checkServed(s service, owners map[string]string) (errs []error) {
	routes := a.declared(s)
	var unserved []string
	for _, r := range routes {
		pattern, byHandle := a.gatewayPattern(r), a.handlePattern(r)
		byGateway := pattern != ""
		switch other := owners[r.HTTPMethod+" "+shape(pattern)]; {
		case byGateway && byHandle != "":
			errs = append(errs, fmt.Errorf("chassis: requests for %s %s never reach %s: the pattern %q of app.Handle gets them; change one of the two",
				r.HTTPMethod, r.Pattern, name(r.FullMethod), byHandle))
		case byGateway && shape(pattern) != shape(r.Pattern) && other != "":
			errs = append(errs, fmt.Errorf("chassis: requests for %s %s never reach %s: %s of %s gets them, because the gateway tries the last registered route first; change one of the paths, or declare the wider one first",
				r.HTTPMethod, r.Pattern, name(r.FullMethod), pattern, name(other)))
		case !byGateway && (byHandle == "" || subtree(byHandle)):
			unserved = append(unserved, r.HTTPMethod+" "+r.Pattern)
		}
	}
	switch {
	case len(unserved) == 0:
		return errs
	case len(unserved) < len(routes):
		return append(errs, fmt.Errorf("chassis: gRPC service %s declares %s with google.api.http, but its gateway does not serve it: generate the gateway code again, it may be older than the proto",
			s.desc.ServiceName, strings.Join(unserved, ", ")))
	default:
		short := s.desc.ServiceName[strings.LastIndexByte(s.desc.ServiceName, '.')+1:]
		return append(errs, fmt.Errorf("chassis: gRPC service %s declares %s with google.api.http, but no gateway serves it: call app.Gateway(ctx, Register%sHandler), or app.WithoutGateway(%q) if the service is for gRPC only",
			s.desc.ServiceName, strings.Join(unserved, ", "), short, s.desc.ServiceName))
	}
}

// name returns a method without its leading slash, as in logs and metrics.
func name(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// subtree reports whether a pattern of Handle covers everything below a path. It may cover a
// route by chance.
func subtree(pattern string) bool {
	return strings.HasSuffix(pattern, "/") || strings.HasSuffix(pattern, "...}")
}

// gatewayPattern returns the gateway's pattern that serves a route, empty for none.
func (a routeCheck) gatewayPattern(r openapi.Route) string {
	if a.gateway == nil {
		return ""
	}
	return inbound.GatewayPattern(a.gateway, exampleOf(r))
}

// handlePattern returns the pattern of Handle that takes a route's requests, empty for none.
func (a routeCheck) handlePattern(r openapi.Route) string {
	if a.below == nil {
		return ""
	}
	_, pattern := a.below.Handler(exampleOf(r))
	return pattern
}

// manySegments is more than the path of any route has: only a trailing wildcard matches as many.
const manySegments = 32

// exampleOf returns a request for a route, with values for its wildcards that are no literals of
// any route. A pattern that matches it, other than by literals of the route, matches all requests
// of the route.
func exampleOf(r openapi.Route) *http.Request {
	const value = "paddock-example"
	many := strings.TrimSuffix(strings.Repeat(value+"/", manySegments), "/")
	path := strings.NewReplacer("**", many, "*", value).Replace(shape(r.Pattern))
	return &http.Request{Method: r.HTTPMethod, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody}
}

// shape returns a path template without the names of its variables: /v1/{name=notes/*}/{part} is
// /v1/notes/*/*.
func shape(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		variable, after, _ := strings.Cut(rest, "}")
		if _, inner, ok := strings.Cut(variable, "="); ok {
			b.WriteString(inner)
		} else {
			b.WriteByte('*')
		}
		template = after
	}
}
