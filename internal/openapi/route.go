package openapi

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Route is one way to call a method by HTTP.
type Route struct {
	HTTPMethod string // as declared: GET, POST, or the kind of a custom pattern
	Pattern    string // path template as declared: /v1/{name=notes/*}:publish
	FullMethod string // as grpc-go names it: /notes.v1.NoteService/PublishNote

	method       protoreflect.MethodDescriptor
	template     template
	body         string // name of the request's field in the body, "*" for all, or empty
	responseBody string // name of the answer's field that is the body; empty for all of it
}

// Routes returns the routes of a service in the order of its declaration, additional bindings after
// their method's own. The error names those whose path template is malformed, which are left out.
func Routes(service protoreflect.ServiceDescriptor) ([]Route, error) {
	var routes []Route
	var errs []error
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		rule, ok := option(method, "google.api.http")
		if !ok {
			continue
		}
		for _, r := range bindings(rule.Message()) {
			route, ok, err := newRoute(method, r)
			if err != nil {
				errs = append(errs, fmt.Errorf("openapi: google.api.http of %s: %w", method.FullName(), err))
			} else if ok {
				routes = append(routes, route)
			}
		}
	}
	return routes, errors.Join(errs...)
}

// bindings returns a google.api.HttpRule and its additional ones, which do not nest.
func bindings(rule protoreflect.Message) []protoreflect.Message {
	all := []protoreflect.Message{rule}
	if fd := rule.Descriptor().Fields().ByName("additional_bindings"); fd != nil {
		list := rule.Get(fd).List()
		for i := range list.Len() {
			all = append(all, list.Get(i).Message())
		}
	}
	return all
}

// newRoute reads one rule; false means that it has no pattern.
func newRoute(method protoreflect.MethodDescriptor, rule protoreflect.Message) (Route, bool, error) {
	verb, path := pattern(rule)
	if verb == "" {
		return Route{}, false, nil
	}
	t, err := parseTemplate(path)
	if err != nil {
		return Route{}, false, err
	}
	return Route{
		HTTPMethod: verb, Pattern: path,
		FullMethod: fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()),
		method:     method, template: t,
		body: text(rule, "body"), responseBody: text(rule, "response_body"),
	}, true, nil
}

// pattern returns the HTTP method and path that the oneof of a google.api.HttpRule holds.
func pattern(rule protoreflect.Message) (verb, path string) {
	oneof := rule.Descriptor().Oneofs().ByName("pattern")
	if oneof == nil {
		return "", ""
	}
	fd := rule.WhichOneof(oneof)
	switch {
	case fd == nil:
		return "", ""
	case fd.Name() == "custom":
		custom := rule.Get(fd).Message()
		return text(custom, "kind"), text(custom, "path")
	default:
		return strings.ToUpper(string(fd.Name())), rule.Get(fd).String()
	}
}

// text returns a string field by name, empty where there is none.
func text(m protoreflect.Message, name protoreflect.Name) string {
	fd := m.Descriptor().Fields().ByName(name)
	if fd == nil || fd.Kind() != protoreflect.StringKind || fd.IsList() {
		return ""
	}
	return m.Get(fd).String()
}

// option returns the value of d's option of that full name, and whether it is set. It is found
// among the options that are set rather than by a registry, so that it does not matter which Go
// type its extension was linked with.
func option(d protoreflect.Descriptor, name protoreflect.FullName) (value protoreflect.Value, ok bool) {
	d.Options().ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.FullName() == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}
