package chassistest

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/openapi"
)

// nobodyByREST requests each route without a certificate, like a browser. Methods that are not
// public must refuse. Public ones must be reached, or a refusal would prove nothing.
func nobodyByREST(t testing.TB, c *conformer) {
	t.Helper()
	if !c.svc.network.open("http") {
		t.Logf("there is no REST port to ask")
		return
	}
	client := c.svc.HTTPWith(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the server's identity does not matter here
	served, unserved := map[string]bool{}, map[string][]string{}
	for _, m := range c.methods {
		routes, err := routesOf(m)
		if err != nil {
			t.Errorf("%s: its routes cannot be read: %v", m.Name, err)
		}
		for _, route := range routes {
			asked := route.HTTPMethod + " " + pathOf(m, route)
			service, _, _ := strings.Cut(strings.TrimPrefix(m.FullMethod, "/"), "/")
			if askRoute(t, c, client, m, asked) {
				served[service] = true
			} else {
				unserved[service] = append(unserved[service], asked)
			}
		}
	}
	for service, routes := range unserved {
		if served[service] { // a service without a gateway has none of its routes
			t.Errorf("%s has routes, of which these are not served, so that they cannot be checked: %s", service, strings.Join(routes, ", "))
		}
	}
}

// askRoute makes one request, and reports whether the route exists.
func askRoute(t testing.TB, c *conformer, client *http.Client, m *contract.Method, asked string) (served bool) {
	t.Helper()
	method, path, _ := strings.Cut(asked, " ")
	before := c.probe.count(m)
	header := http.Header{"From": {probeKey + ":" + probeReach}}
	code, err := request(t, client, method, c.restScheme()+"://rest"+path, header)
	reached := c.probe.count(m) > before
	switch {
	case err != nil:
		t.Errorf("%s: %v", asked, err)
	case code == http.StatusNotFound && !reached:
		return false
	case reached && !m.Public:
		t.Errorf("%s: nobody got in to %s, with status %d: it is open to %s", asked, m.Name, code, m.Describe())
	case !reached && m.Public:
		t.Errorf("%s: nobody got to %s, with status %d: it is public", asked, m.Name, code)
	case !reached && code != http.StatusUnauthorized && code != http.StatusForbidden:
		t.Errorf("%s: got status %d, want 401 or 403: something else has refused, so that %s was not checked", asked, code, m.Name)
	}
	return true
}

func routesOf(m *contract.Method) (own []openapi.Route, err error) {
	d := methodNamed(m.FullMethod)
	if d == nil {
		return nil, nil // its types are not linked into the test, nor is its gateway
	}
	service, _ := d.Parent().(protoreflect.ServiceDescriptor)
	all, err := openapi.Routes(service)
	for _, r := range all {
		if r.FullMethod == m.FullMethod {
			own = append(own, r)
		}
	}
	return own, err
}

var (
	pathParameter = regexp.MustCompile(`\{([^}=]+)(?:=([^}]*))?\}`)
	wildcard      = regexp.MustCompile(`\*+`)
)

// pathOf returns a path that matches the route, with a valid value for each parameter.
func pathOf(m *contract.Method, route openapi.Route) string {
	path := pathParameter.ReplaceAllStringFunc(route.Pattern, func(parameter string) string {
		parts := pathParameter.FindStringSubmatch(parameter)
		if parts[2] == "" {
			return valueFor(requestOf(m), parts[1])
		}
		return parts[2] // its wildcards follow
	})
	return wildcard.ReplaceAllString(path, "1")
}

// valueFor returns a text that the gateway can parse into a field, given by its path from
// message. A number fits all types but these.
func valueFor(message protoreflect.MessageDescriptor, path string) string {
	name, rest, nested := strings.Cut(path, ".")
	if message == nil {
		return "1"
	}
	field := message.Fields().ByName(protoreflect.Name(name))
	switch {
	case field == nil:
		return "1"
	case nested:
		return valueFor(field.Message(), rest)
	case field.Kind() == protoreflect.BytesKind:
		return "MQ=="
	case field.Message() == nil:
		return "1"
	}
	switch field.Message().FullName() {
	case "google.protobuf.Timestamp":
		return "2006-01-02T15:04:05Z"
	case "google.protobuf.Duration":
		return "1s"
	case "google.protobuf.BytesValue":
		return "MQ=="
	default:
		return "1"
	}
}
