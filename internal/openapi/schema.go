package openapi

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// schemas collects the schemas that a document refers to, by the full names of their messages and
// enums.
type schemas struct{ defined map[string]object }

// components returns what was collected, by name.
func (s *schemas) components() object {
	var o object
	for name, schema := range s.defined {
		o = append(o, member{name, schema})
	}
	slices.SortFunc(o, func(a, b member) int { return cmp.Compare(a.key, b.key) })
	return o
}

// message returns a schema for values of that type: well-known types as such, others by reference.
// The definition is entered before its fields are read, so that a type may contain itself.
func (s *schemas) message(md protoreflect.MessageDescriptor) object {
	if known, ok := wellKnown(md.FullName()); ok {
		return known
	}
	name := string(md.FullName())
	if _, ok := s.defined[name]; !ok {
		s.defined[name] = nil
		s.defined[name] = s.fields(md, nil)
	}
	return obj("$ref", "#/components/schemas/"+name)
}

// fields returns the schema of a message in full, without the fields named in omit.
func (s *schemas) fields(md protoreflect.MessageDescriptor, omit map[string]bool) object {
	var properties object
	var required []any
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if omit[string(fd.Name())] {
			continue
		}
		properties = append(properties, member{fd.JSONName(), s.property(fd)})
		if behaves(fd, fieldRequired) {
			required = append(required, fd.JSONName())
		}
	}
	return obj("type", "object").
		with("description", comment(md)).
		with("properties", properties).
		with("required", required).
		with("allOf", oneofs(md, omit)).
		with("examples", messageExamples(md, omit)).
		with("deprecated", deprecated(md))
}

// messageExamples returns the example of openapiv2_schema, unless fields of it stand elsewhere.
func messageExamples(md protoreflect.MessageDescriptor, omit map[string]bool) []any {
	m := annotation(md, "openapiv2_schema")
	if m == nil || len(omit) > 0 {
		return nil
	}
	return examples(m)
}

// property returns a field's schema with what is known about the field itself.
func (s *schemas) property(fd protoreflect.FieldDescriptor) object {
	return annotated(s.field(fd), fd).
		with("description", describe(fd)).
		with("readOnly", behaves(fd, fieldOutputOnly)).
		with("writeOnly", behaves(fd, fieldInputOnly)).
		with("deprecated", deprecated(fd))
}

// field returns the schema of a field's values.
func (s *schemas) field(fd protoreflect.FieldDescriptor) object {
	switch {
	case fd.IsMap():
		return obj("type", "object", "additionalProperties", s.single(fd.MapValue()))
	case fd.IsList():
		return obj("type", "array", "items", s.single(fd))
	default:
		return s.single(fd)
	}
}

// single returns the schema of one value by the JSON mapping of proto3: 64-bit integers are
// strings.
func (s *schemas) single(fd protoreflect.FieldDescriptor) object {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return obj("type", "boolean")
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return obj("type", "integer", "format", "int32")
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return obj("type", "integer", "format", "uint32", "minimum", 0)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return obj("type", "string", "format", "int64")
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return obj("type", "string", "format", "uint64")
	case protoreflect.FloatKind:
		return number("float")
	case protoreflect.DoubleKind:
		return number("double")
	case protoreflect.BytesKind:
		return obj("type", "string", "contentEncoding", "base64")
	case protoreflect.EnumKind:
		return s.enum(fd.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return s.message(fd.Message())
	default:
		return obj("type", "string")
	}
}

// number is a floating-point number: what JSON's numbers lack is written as a string.
func number(format string) object {
	return obj("oneOf", []any{
		obj("type", "number", "format", format),
		obj("type", "string", "enum", []string{"NaN", "Infinity", "-Infinity"}),
	})
}

func (s *schemas) enum(ed protoreflect.EnumDescriptor) object {
	if ed.FullName() == "google.protobuf.NullValue" {
		return obj("type", "null")
	}
	name := string(ed.FullName())
	if _, ok := s.defined[name]; !ok {
		names := make([]any, ed.Values().Len())
		for i := range names {
			names[i] = ed.Values().Get(i).Name()
		}
		s.defined[name] = obj("type", "string", "enum", names).
			with("description", describeEnum(ed)).
			with("deprecated", deprecated(ed))
	}
	return obj("$ref", "#/components/schemas/"+name)
}

// oneofs returns for each oneof of md the constraint that at most one member is there: this one,
// that one, or none.
func oneofs(md protoreflect.MessageDescriptor, omit map[string]bool) []any {
	var all []any
	for i := range md.Oneofs().Len() {
		oneof := md.Oneofs().Get(i)
		names := members(oneof, omit)
		if oneof.IsSynthetic() || len(names) < 2 {
			continue
		}
		choices, any1 := make([]any, len(names)), make([]any, len(names))
		for j, name := range names {
			choices[j] = obj("required", []string{name})
			any1[j] = choices[j]
		}
		all = append(all, obj("oneOf", slices.Concat(choices, []any{obj("not", obj("anyOf", any1))})))
	}
	return all
}

func members(oneof protoreflect.OneofDescriptor, omit map[string]bool) []string {
	var names []string
	for i := range oneof.Fields().Len() {
		if fd := oneof.Fields().Get(i); !omit[string(fd.Name())] {
			names = append(names, fd.JSONName())
		}
	}
	return names
}
