package openapi

import (
	"encoding/json"
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// annotation returns an option of protoc-gen-openapiv2 by its short name, nil where it is not set.
// Services that were written for that generator have examples and limits in them.
func annotation(d protoreflect.Descriptor, name protoreflect.FullName) protoreflect.Message {
	v, ok := option(d, "grpc.gateway.protoc_gen_openapiv2.options."+name)
	if !ok {
		return nil
	}
	return v.Message()
}

// annotated adds to the schema of a field what openapiv2_field says of its values.
func annotated(schema object, fd protoreflect.FieldDescriptor) object {
	m := annotation(fd, "openapiv2_field")
	if m == nil {
		return schema
	}
	schema = schema.with("title", text(m, "title"))
	if !fd.IsList() && !fd.IsMap() {
		schema = schema.with("pattern", text(m, "pattern"))
	}
	for _, limit := range []struct {
		name protoreflect.Name
		key  string
	}{
		{"maximum", "maximum"}, {"minimum", "minimum"}, {"max_length", "maxLength"}, {"min_length", "minLength"},
		{"max_items", "maxItems"}, {"min_items", "minItems"},
	} {
		if n := number64(m, limit.name); n != 0 {
			schema = schema.with(limit.key, n)
		}
	}
	return schema.with("examples", examples(m))
}

// number64 returns a number by name, zero where there is none.
func number64(m protoreflect.Message, name protoreflect.Name) float64 {
	fd := m.Descriptor().Fields().ByName(name)
	if fd == nil {
		return 0
	}
	switch v := m.Get(fd).Interface().(type) {
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	case uint64:
		return float64(v)
	}
	return 0
}

// examples returns the example of an annotation: JSON, or a text without its quotes.
func examples(m protoreflect.Message) []any {
	example := text(m, "example")
	switch {
	case example == "":
		return nil
	case json.Valid([]byte(example)):
		return []any{json.RawMessage(example)}
	default:
		return []any{example}
	}
}
