package openapi

import "google.golang.org/protobuf/reflect/protoreflect"

// wellKnown returns the schema of a type that the JSON mapping of proto3 treats specially.
func wellKnown(name protoreflect.FullName) (object, bool) {
	switch name {
	case "google.protobuf.Timestamp":
		return obj("type", "string", "format", "date-time"), true
	case "google.protobuf.Duration":
		return obj("type", "string", "pattern", `^-?[0-9]+(\.[0-9]{1,9})?s$`, "examples", []string{"1.5s"}), true
	case "google.protobuf.FieldMask":
		return obj("type", "string", "format", "field-mask", "examples", []string{"title,author.displayName"}), true
	case "google.protobuf.Empty":
		return obj("type", "object"), true
	case "google.protobuf.Struct":
		return obj("type", "object", "additionalProperties", true), true
	case "google.protobuf.Value":
		return obj("description", "Any JSON value."), true
	case "google.protobuf.ListValue":
		return obj("type", "array", "items", object{}), true
	case "google.protobuf.Any":
		return anyMessage(), true
	case "google.protobuf.BoolValue":
		return nullable("boolean"), true
	case "google.protobuf.StringValue":
		return nullable("string"), true
	case "google.protobuf.BytesValue":
		return nullable("string").with("contentEncoding", "base64"), true
	case "google.protobuf.Int32Value":
		return nullable("integer").with("format", "int32"), true
	case "google.protobuf.UInt32Value":
		return nullable("integer").with("format", "uint32").with("minimum", 0), true
	case "google.protobuf.Int64Value":
		return nullable("string").with("format", "int64"), true
	case "google.protobuf.UInt64Value":
		return nullable("string").with("format", "uint64"), true
	case "google.protobuf.FloatValue":
		return obj("oneOf", []any{number("float"), obj("type", "null")}), true
	case "google.protobuf.DoubleValue":
		return obj("oneOf", []any{number("double"), obj("type", "null")}), true
	}
	return nil, false
}

func nullable(kind string) object { return obj("type", []string{kind, "null"}) }

func anyMessage() object {
	kind := obj("type", "string", "description", "Names the type of the rest: type.googleapis.com/ and its full name.")
	return obj("type", "object", "properties", obj("@type", kind), "additionalProperties", true)
}

// problemName is the schema of every error, of one within a stream too.
const problemName = "Problem"

func problemSchema() object {
	return obj("type", "object", "description", "Problem details, as RFC 9457 has them.", "required", []string{"title", "status"}, "properties", obj(
		"type", obj("type", "string", "format", "uri", "default", "about:blank", "description", "Names the error: urn:x-error:, its domain, a colon and its reason, where it has them. Nothing is found there."),
		"title", obj("type", "string", "description", "The meaning of the HTTP status."),
		"status", obj("type", "integer", "description", "The HTTP status."),
		"detail", obj("type", "string", "description", "What went wrong in this case: for developers, in English, or for a person in the language of Content-Language."),
		"code", obj("type", "string", "description", "The gRPC code by name, where a call was made."),
		"domain", obj("type", "string", "description", "Whose reason it is.", "examples", []string{"hello.v1"}),
		"reason", obj("type", "string", "description", "Which error of the domain it is, for programs.", "examples", []string{"NAME_TOO_LONG"}),
		"errors", obj("type", "array", "description", "What is wrong with the request, field by field.", "items", violationSchema()),
		"errors_omitted", obj("type", "integer", "minimum", 1, "description", "How many there are beside errors, which has 100 at most."),
		"retry_after_seconds", obj("type", "integer", "minimum", 1, "description", "How long to wait before another try, as Retry-After says."),
		"trace_id", obj("type", "string", "description", "Leads to the log lines and the trace of the call."),
	))
}

func violationSchema() object {
	return obj("type", "object", "properties", obj(
		"field", obj("type", "string", "description", "The path of the field, by the names of the proto.", "examples", []string{"bet.legs[1].stake"}),
		"detail", obj("type", "string", "description", "What is wrong and what was expected, for developers, in English."),
		"reason", obj("type", "string", "description", "The same for programs."),
	))
}
