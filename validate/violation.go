package validate

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A status travels in a header, for which some clients take no more than 8 KiB, encoded in base64.
const (
	maxText    = 200  // bytes of a path or of a text
	maxDetails = 3000 // bytes of all
)

// invalid returns the status for a message that breaks rules: its text tells of the first, its details of as many as
// there is room for.
func invalid(message protoreflect.MessageDescriptor, broken []*protovalidate.Violation) error {
	request, room := new(errdetails.BadRequest), maxDetails
	for _, v := range broken {
		field := fieldViolation(message, v)
		room -= len(field.GetField()) + len(field.GetDescription())
		if room < 0 {
			break
		}
		request.FieldViolations = append(request.FieldViolations, field)
	}
	st := status.New(codes.InvalidArgument, summary(message, request.GetFieldViolations(), len(broken)))
	detailed, err := st.WithDetails(request)
	if err != nil { // it is a message that marshals
		return st.Err()
	}
	return detailed.Err()
}

func summary(message protoreflect.MessageDescriptor, fields []*errdetails.BadRequest_FieldViolation, all int) string {
	text := fmt.Sprintf("%s is invalid", message.Name())
	if len(fields) > 0 {
		first := fields[0]
		text += ": " + strings.TrimPrefix(first.GetField()+": "+first.GetDescription(), ": ")
	}
	if all > 1 {
		text += fmt.Sprintf(" (and %d more)", all-1)
	}
	return text
}

// fieldViolation tells what is wrong with a field, or with a whole message, without secrets.
func fieldViolation(message protoreflect.MessageDescriptor, v *protovalidate.Violation) *errdetails.BadRequest_FieldViolation {
	p := follow(message, v.Proto.GetField().GetElements())
	return &errdetails.BadRequest_FieldViolation{
		Field:       shorten(protovalidate.FieldPathString(v.Proto.GetField())),
		Description: shorten(p.text(v)),
	}
}

// place is where a path leads.
type place struct {
	field  protoreflect.FieldDescriptor   // nil for the message as a whole
	scope  protoreflect.MessageDescriptor // what is there, or is an element there; nil for anything but messages
	secret bool                           // debug_redact is on the way
}

// follow goes along a path, and takes the keys of secret maps from it.
func follow(message protoreflect.MessageDescriptor, path []*validate.FieldPathElement) place {
	p := place{scope: message}
	for _, element := range path {
		p.field = nil
		if p.scope != nil {
			p.field = p.scope.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		}
		switch {
		case p.field == nil && element.HasFieldNumber(): // an extension, of which nothing is known
			p.scope, p.secret = nil, true
		case p.field == nil: // a oneof: what is said is said of the message
		case p.field.IsMap():
			p.scope = p.field.MapValue().Message()
		default:
			p.scope = p.field.Message()
		}
		p.secret = p.secret || isSecret(p.field)
		if p.secret && !element.HasIndex() {
			element.ClearSubscript()
		}
	}
	return p
}

// text says what is wrong: in the words of the rule, or by its id where these could be made of secrets.
func (p place) text(v *protovalidate.Violation) string {
	text := v.Proto.GetMessage()
	if text == "" || computed(v) && p.seesSecrets() && !p.declares(text) {
		return "breaks the rule " + v.Proto.GetRuleId()
	}
	return text
}

// computed reports whether a rule may have made its text itself, being written in CEL by the service's author. Those of
// protovalidate tell of the rule alone. Rules of whole messages have no path.
func computed(v *protovalidate.Violation) bool {
	rule := v.Proto.GetRule().GetElements()
	for _, element := range rule {
		name := element.GetFieldName()
		if name == "cel" || name == "cel_expression" || strings.HasPrefix(name, "[") {
			return true
		}
	}
	return len(rule) == 0 && v.Proto.GetMessage() != requiredOneof
}

// requiredOneof is what protovalidate says of a oneof.
const requiredOneof = "exactly one field is required in oneof"

func (p place) seesSecrets() bool {
	return p.secret || hasSecrets(p.scope, map[protoreflect.FullName]bool{})
}

// shorten cuts a text, at a letter's end, to what a status has room for.
func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
}
