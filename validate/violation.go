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

// A status is sent in a header, encoded in base64. Some clients accept at most 8 KiB.
const (
	maxText    = 200  // bytes of a path or of a text
	maxDetails = 3000 // bytes of all
)

// invalid returns the status for a message that breaks rules. Its text has the first violation,
// its details as many as fit.
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

// fieldViolation describes the mistake in a field, or in a whole message, without secrets.
func fieldViolation(message protoreflect.MessageDescriptor, v *protovalidate.Violation) *errdetails.BadRequest_FieldViolation {
	p := follow(message, v.Proto.GetField().GetElements())
	return &errdetails.BadRequest_FieldViolation{
		Field:       shorten(protovalidate.FieldPathString(v.Proto.GetField())),
		Description: shorten(p.text(v)),
	}
}

// place is the destination of a path.
type place struct {
	field  protoreflect.FieldDescriptor   // nil for the message as a whole
	scope  protoreflect.MessageDescriptor // what is there, or is an element there; nil for anything but messages
	secret bool                           // debug_redact is on the way
}

// follow follows a path, and removes the keys of secret maps from it.
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

// text describes the mistake: in the words of the rule, or by its id if these could contain
// secrets.
func (p place) text(v *protovalidate.Violation) string {
	text := v.Proto.GetMessage()
	if text == "" || computed(v) && p.seesSecrets() && !p.declares(text) {
		return "breaks the rule " + v.Proto.GetRuleId()
	}
	return text
}

// computed reports whether a rule may have computed its text, because the service's author wrote
// it in CEL. Texts of protovalidate's own rules depend only on the rule. Rules of whole messages
// have no path.
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

// requiredOneof is protovalidate's text for a oneof.
const requiredOneof = "exactly one field is required in oneof"

func (p place) seesSecrets() bool {
	return p.secret || hasSecrets(p.scope, map[protoreflect.FullName]bool{})
}

// shorten cuts a text to the room in a status, at a character boundary.
func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
}
