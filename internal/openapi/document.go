package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/eventstream"
	"github.com/betmakers/paddock/internal/problem"
)

// StreamContentType is the media type under which the document describes server streams: one JSON
// object a line. grpc-gateway sends it where the marshaler's StreamContentType returns it.
const StreamContentType = "application/x-ndjson"

// Info heads a document. Title and Version are required by the format; empty ones are replaced.
type Info struct {
	Title, Version, Description string
	// Terms returns what the contract says of a method, by "/package.Service/Method". Nil leaves it
	// out.
	Terms func(fullMethod string) (Terms, bool)
	// MutualTLS and Bearer say by what callers can prove who they are: certificates and bearer
	// tokens.
	MutualTLS, Bearer bool
}

// Document returns the OpenAPI 3.1 document, as JSON, of the REST interface of the services, in
// their order. The same arguments give the same bytes. Routes that cannot be described are left
// out, and the error names all of them: a google.api.http option that is malformed, or names a
// field that its request has not. The document is there all the same. A method and path that is
// declared twice is described once.
func Document(info Info, services []protoreflect.ServiceDescriptor) ([]byte, error) {
	b := builder{info: info, schemas: schemas{make(map[string]object)}, operations: make(map[string]int), shapes: make(map[string]pathShape)}
	var tags, rest []any
	var errs []error
	for _, service := range services {
		routes, err := Routes(service)
		errs = append(errs, err)
		for _, r := range routes {
			errs = append(errs, b.add(r))
		}
		rest = append(rest, byGRPC(service, routes)...)
		if len(routes) > 0 {
			tags = append(tags, obj("name", service.FullName()).with("description", comment(service)))
		}
	}
	doc := obj("openapi", "3.1.0", "info", info.object(), "servers", []any{obj("url", "/")}).
		with("tags", tags).
		with("components", b.components()).
		with("x-grpc-methods", rest)
	document, err := json.MarshalIndent(append(doc, member{"paths", b.paths}), "", "  ")
	return document, errors.Join(append(errs, err)...)
}

func (b *builder) components() object {
	var schemes object
	if b.closed { // a scheme that no operation asks for would be noise
		for _, name := range b.info.schemes() {
			schemes = append(schemes, member{name, securityScheme(name)})
		}
	}
	return obj("schemas", b.schemas.components()).with("securitySchemes", schemes)
}

func (i Info) object() object {
	if i.Title == "" {
		i.Title = "REST interface"
	}
	if i.Version == "" {
		i.Version = "unknown"
	}
	return obj("title", i.Title, "version", i.Version).with("description", i.Description)
}

// builder collects the operations of a document.
type builder struct {
	info       Info
	schemas    schemas
	paths      object               // path -> object of HTTP method -> operation
	operations map[string]int       // how often an operation's id was given
	shapes     map[string]pathShape // by path without the parameters' names
	closed     bool                 // an operation is not open to everybody
}

// pathShape is the first path of its shape.
type pathShape struct {
	path   string
	params []pathParam
}

var verbs = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// add describes a route. What OpenAPI 3.1 has no word for, such as the methods of custom patterns,
// is left out.
func (b *builder) add(r Route) error {
	verb := strings.ToLower(r.HTTPMethod)
	if !slices.Contains(verbs, verb) {
		return nil
	}
	path, params := b.unify(r.template.openAPI())
	item, _ := b.paths.get(path)
	operations, _ := item.(object)
	if _, taken := operations.get(verb); taken {
		return nil
	}
	operation, err := b.operation(r, params)
	if err != nil {
		return fmt.Errorf("openapi: google.api.http of %s, path %q: %w", r.method.FullName(), r.Pattern, err)
	}
	operations = append(operations, member{verb, operation})
	for i := range b.paths {
		if b.paths[i].key == path {
			b.paths[i].value = operations
			return nil
		}
	}
	b.paths = append(b.paths, member{path, operations})
	return nil
}

// unify names the parameters of a path as the first path of the same shape does: to OpenAPI,
// `/v1/notes/{name}` and `/v1/notes/{note.name}` are one path, which may stand in a document once.
func (b *builder) unify(path string, params []pathParam) (string, []pathParam) {
	shape := path
	for _, p := range params {
		shape = strings.Replace(shape, "{"+p.name+"}", "{}", 1)
	}
	first, ok := b.shapes[shape]
	if !ok {
		b.shapes[shape] = pathShape{path, params}
		return path, params
	}
	var names []string
	for i, p := range params {
		names = append(names, "{"+p.name+"}", "{"+first.params[i].name+"}")
	}
	renamed := strings.NewReplacer(names...)
	for i := range params {
		params[i].name, params[i].form = first.params[i].name, renamed.Replace(params[i].form)
	}
	return first.path, params
}

func (b *builder) operation(r Route, path []pathParam) (object, error) {
	params, err := b.pathParams(r, path)
	if err != nil {
		return nil, err
	}
	body, err := b.requestBody(r)
	if err != nil {
		return nil, err
	}
	responses, err := b.responses(r)
	if err != nil {
		return nil, err
	}
	description, terms, known := comment(r.method), Terms{}, false
	if b.info.Terms != nil {
		if terms, known = b.info.Terms(r.FullMethod); known {
			description = terms.describe(description)
		}
	}
	operation := obj("operationId", b.operationID(r.method), "tags", []any{r.method.Parent().FullName()}, "summary", summary(r.method)).
		with("description", description).
		with("parameters", slices.Concat(params, b.queryParams(r), b.headerParams(r))).
		with("requestBody", body).
		with("responses", responses).
		with("deprecated", deprecated(r.method) || deprecated(r.method.Parent())).
		with("x-grpc-method", r.FullMethod).
		with("x-server-stream", r.method.IsStreamingServer())
	if known {
		operation = terms.extend(operation, b.info.schemes())
		b.closed = b.closed || !terms.Public
	}
	return operation, nil
}

// operationID is Service_Method, with a number where a document has that already.
func (b *builder) operationID(method protoreflect.MethodDescriptor) string {
	id := fmt.Sprintf("%s_%s", method.Parent().Name(), method.Name())
	b.operations[id]++
	if n := b.operations[id]; n > 1 {
		return fmt.Sprintf("%s_%d", id, n)
	}
	return id
}

func (b *builder) requestBody(r Route) (object, error) {
	if r.body == "" {
		return nil, nil
	}
	var schema object
	var description string
	input := r.method.Input()
	switch bound := topLevel(r.template.bound()); {
	case r.body != "*":
		fd, err := findField(input, r.body)
		if err != nil {
			return nil, fmt.Errorf("body names %q, which is no field of %s", r.body, input.FullName())
		}
		schema, description = b.schemas.field(fd), comment(fd)
	case len(bound) == 0:
		schema = b.schemas.message(input)
	default:
		schema = b.schemas.fields(input, bound)
	}
	mediaType := "application/json"
	if r.method.IsStreamingClient() {
		mediaType, description = StreamContentType, "One JSON object a line."
	}
	return obj("required", true, "content", content(mediaType, schema)).with("description", description), nil
}

func (b *builder) responses(r Route) (object, error) {
	output := r.method.Output()
	schema, mediaType, description := object(nil), "application/json", "OK"
	switch {
	case r.responseBody != "":
		fd, err := findField(output, r.responseBody)
		if err != nil {
			return nil, fmt.Errorf("response_body names %q, which is no field of %s", r.responseBody, output.FullName())
		}
		schema = b.schemas.field(fd)
	case output.FullName() == "google.api.HttpBody":
		mediaType, description = "*/*", "Whatever the method answers with."
	default:
		schema = b.schemas.message(output)
	}
	types := content(mediaType, schema)
	if r.method.IsStreamingServer() && mediaType != "*/*" {
		description, types = streamText, append(content(StreamContentType, b.line(schema)), content(eventstream.ContentType, schema)...)
	}
	return obj(
		"200", obj("description", description, "content", types),
		"default", obj("description", "An error.", "content", content(problem.ContentType, b.problem())),
	), nil
}

// streamText describes the two forms of a stream.
const streamText = "A stream of messages.\n\nAs " + StreamContentType + " it is one JSON object a line, and an error at most as the last. " +
	"With Accept: " + eventstream.ContentType + " it is server-sent events, whose data is a message. An event named error has a problem, " +
	"and one named end says that the stream is complete. A stream that ends without them goes on at another connection."

// line returns the schema of a line of a stream of messages.
func (b *builder) line(message object) object {
	return obj("oneOf", []any{
		obj("type", "object", "required", []string{"result"}, "properties", obj("result", message)),
		obj("type", "object", "required", []string{"error"}, "properties", obj("error", b.problem())),
	})
}

// problem returns a reference to the schema of RFC 9457 problem details, as package problem writes
// them.
func (b *builder) problem() object {
	if _, ok := b.schemas.defined[problemName]; !ok {
		b.schemas.defined[problemName] = problemSchema()
	}
	return obj("$ref", "#/components/schemas/"+problemName)
}

func content(mediaType string, schema object) object {
	return obj(mediaType, obj("schema", schema))
}

// topLevel returns those of the field paths that are a single field.
func topLevel(paths map[string]bool) map[string]bool {
	top := make(map[string]bool)
	for path := range paths {
		if !strings.Contains(path, ".") {
			top[path] = true
		}
	}
	return top
}
