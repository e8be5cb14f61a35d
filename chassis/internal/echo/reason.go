package echo

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// ErrorReason is an enum as protoc-gen-go makes it, as far as protoreflect.Enum goes.
type ErrorReason int32

// The reasons. Those from Undeclared on are mistakes.
const (
	TooLong ErrorReason = iota + 1
	Busy
	Undeclared // has no option
	NoCode
	WrongCode
	OK
	Numeric
	Missing // is no value of the enum
)

// Descriptor returns the enum's.
func (ErrorReason) Descriptor() protoreflect.EnumDescriptor {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName("test.v1.ErrorReason")
	if err != nil {
		panic(err)
	}
	return d.(protoreflect.EnumDescriptor)
}

// Type is not needed.
func (ErrorReason) Type() protoreflect.EnumType { return nil }

// Number returns the value's.
func (r ErrorReason) Number() protoreflect.EnumNumber { return protoreflect.EnumNumber(r) }

func reasons() *descriptorpb.EnumDescriptorProto {
	enum := &descriptorpb.EnumDescriptorProto{Name: proto.String("ErrorReason")}
	for number, value := range []struct {
		name   string
		reason *paddockv1.Reason
	}{
		{"ERROR_REASON_UNSPECIFIED", nil},
		{"TOO_LONG", &paddockv1.Reason{Code: "INVALID_ARGUMENT", Message: "the text is too long"}},
		{"BUSY", &paddockv1.Reason{Code: "UNAVAILABLE"}},
		{"UNDECLARED", nil},
		{"NO_CODE", &paddockv1.Reason{Message: "no code"}},
		{"WRONG_CODE", &paddockv1.Reason{Code: "NotFound"}},
		{"FINE", &paddockv1.Reason{Code: "OK"}},
		{"NUMERIC", &paddockv1.Reason{Code: "5"}},
	} {
		options := &descriptorpb.EnumValueOptions{}
		if value.reason != nil {
			proto.SetExtension(options, paddockv1.E_Reason, value.reason)
		}
		enum.Value = append(enum.Value, &descriptorpb.EnumValueDescriptorProto{
			Name: proto.String(value.name), Number: proto.Int32(int32(number)), Options: options,
		})
	}
	return enum
}
