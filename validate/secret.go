package validate

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// isSecret reports whether a field is marked with debug_redact. It returns false for nil.
func isSecret(field protoreflect.FieldDescriptor) bool {
	if field == nil {
		return false
	}
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

// hasSecrets reports whether a message may have secret fields at any depth. It returns true for
// Any, because a rule can look into it, and false for nil.
func hasSecrets(message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if message == nil || seen[message.FullName()] {
		return false
	}
	if message.FullName() == "google.protobuf.Any" {
		return true
	}
	seen[message.FullName()] = true
	fields := message.Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); isSecret(field) || hasSecrets(field.Message(), seen) {
			return true
		}
	}
	return false
}

// declares reports whether a text is a constant in the rules of the place, and so contains
// nothing of a message.
func (p place) declares(text string) bool {
	if p.field != nil {
		if rules, ok := proto.GetExtension(p.field.Options(), validate.E_Field).(*validate.FieldRules); ok && quotes(rules.ProtoReflect(), text) {
			return true
		}
	}
	if p.scope == nil {
		return false
	}
	rules, ok := proto.GetExtension(p.scope.Options(), validate.E_Message).(*validate.MessageRules)
	return ok && quotes(rules.ProtoReflect(), text)
}

// quotes looks for a rule with the text among rules, including rules of elements, keys and
// values.
func quotes(rules protoreflect.Message, text string) (found bool) {
	if rule, ok := rules.Interface().(*validate.Rule); ok {
		return rule.GetMessage() == text
	}
	rules.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				found = found || quotes(value.List().Get(i).Message(), text)
			}
		default:
			found = found || quotes(value.Message(), text)
		}
		return !found
	})
	return found
}
