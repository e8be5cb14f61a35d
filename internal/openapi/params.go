package openapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// pathParams describes the parameters in a route's path.
func (b *builder) pathParams(r Route, path []pathParam) ([]any, error) {
	var params []any
	for _, p := range path {
		schema, description := obj("type", "string"), ""
		if p.field != "" {
			fd, err := findField(r.method.Input(), p.field)
			if err != nil {
				return nil, err
			}
			description = comment(fd)
			if p.whole {
				schema = b.schemas.single(fd)
			}
			if !p.whole || p.name != p.field {
				description = strings.TrimSpace(fmt.Sprintf("%s\n\nThe field `%s` is `%s`.", description, p.field, p.form))
			}
		}
		if p.deep {
			description = strings.TrimSpace(description + "\n\nMay hold slashes.")
		}
		params = append(params, obj("name", p.name, "in", "path", "required", true).
			with("description", description).
			with("schema", schema).
			with("x-multi-segment", p.deep))
	}
	return params, nil
}

// findField follows a path of field names through messages.
func findField(md protoreflect.MessageDescriptor, path string) (protoreflect.FieldDescriptor, error) {
	var fd protoreflect.FieldDescriptor
	for name := range strings.SplitSeq(path, ".") {
		if md == nil {
			return nil, fmt.Errorf("%q leads through %s, which is no message", path, fd.FullName())
		}
		if fd = md.Fields().ByName(protoreflect.Name(name)); fd == nil {
			return nil, fmt.Errorf("%q: %s has no field %q", path, md.FullName(), name)
		}
		md = fd.Message()
	}
	return fd, nil
}

// queryParams describes the fields of a route's request that are neither in its path nor in its
// body.
func (b *builder) queryParams(r Route) []any {
	if r.body == "*" {
		return nil
	}
	q := query{schemas: &b.schemas, skip: r.template.bound()}
	if r.body != "" {
		q.skip[r.body] = true
	}
	q.walk(r.method.Input(), "", "", nil)
	return q.params
}

// headerParams describes Last-Event-ID, where a field of the request gets it.
func (b *builder) headerParams(r Route) []any {
	fields := r.method.Input().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if v, ok := option(fd, "paddock.v1.event_id"); !ok || !v.Bool() || !r.method.IsStreamingServer() || r.template.bound()[string(fd.Name())] {
			continue
		}
		return []any{obj("name", "Last-Event-ID", "in", "header",
			"description", fmt.Sprintf("The id of the last event that the client has got, as an EventSource sends it. It replaces the field `%s`.", fd.JSONName()),
			"schema", b.schemas.single(fd))}
	}
	return nil
}

// query collects query parameters.
type query struct {
	schemas *schemas
	skip    map[string]bool // paths of fields that stand elsewhere
	params  []any
}

// walk adds the fields of a message that is at path, called name in a query. A message within
// itself ends it, as do lists of messages, for which queries have no form.
func (q *query) walk(md protoreflect.MessageDescriptor, path, name string, outer []protoreflect.FullName) {
	for _, o := range outer {
		if o == md.FullName() {
			return
		}
	}
	outer = append(outer[:len(outer):len(outer)], md.FullName())
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		fieldPath, fieldName := path+string(fd.Name()), name+fd.JSONName()
		switch {
		case q.skip[fieldPath], behaves(fd, fieldOutputOnly):
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				q.add(fd, fieldName, "deepObject")
			}
		case fd.Message() == nil:
			q.add(fd, fieldName, "")
		case plainText(fd.Message().FullName()):
			q.add(fd, fieldName, "")
		case !fd.IsList():
			if _, known := wellKnown(fd.Message().FullName()); !known {
				q.walk(fd.Message(), fieldPath+".", fieldName+".", outer)
			}
		}
	}
}

func (q *query) add(fd protoreflect.FieldDescriptor, name, style string) {
	q.params = append(q.params, obj("name", name, "in", "query").
		with("description", describe(fd)).
		with("required", behaves(fd, fieldRequired) && !strings.Contains(name, ".")).
		with("deprecated", deprecated(fd)).
		with("style", style).
		with("explode", style != "").
		with("schema", annotated(q.schemas.field(fd), fd)))
}

// plainText reports whether a well-known type is one value in a query.
func plainText(name protoreflect.FullName) bool {
	switch name {
	case "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask":
		return true
	}
	return strings.HasPrefix(string(name), "google.protobuf.") && strings.HasSuffix(string(name), "Value") &&
		name != "google.protobuf.Value" && name != "google.protobuf.ListValue"
}
